// The page without a mouse: every step of the tabulator is seen, and the skip link skips.

import assert from "node:assert/strict";
import { run, shown, watched } from "./browser.mjs";

await run(async ({ address }, browser) => {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 360, height: 700 } });
  const { page, wrong } = await watched(context, address);
  await page.goto(`${address}#/shelf`);
  await shown(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  assert.equal(new URL(page.url()).hash, "#/shelf");

  // With a notice over the foot of the page.
  await page.locator("[data-action=add]").first().click();
  await page.waitForSelector("#notice:not(.empty)");
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
  await page.reload();
  await shown(page);
  await page.locator("[data-action=remove]").first().press("Enter");
  await page.waitForSelector("#notice:not(.empty)");
  await page.locator(".skip").focus();
  const seen = new Set();
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const node = document.activeElement;
      if (!node || node === document.body) return null;
      const target = node.matches("#export-file") ? document.querySelector("label.button") : node;
      const { left, top, width, height } = target.getBoundingClientRect();
      const style = getComputedStyle(target);
      const above = document.elementFromPoint(left + width / 2, top + height / 2);
      return {
        name: node.getAttribute("aria-label") ?? node.textContent ?? node.id,
        isSeen: target.contains(above) || (above?.contains(target) ?? false),
        hasOutline: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2,
        isLarge: Math.min(width, height) >= 24 || target.matches("a.book-title"),
      };
    });
    if (!at) break;
    assert.ok(at.isSeen, `${at.name} is hidden while it has the focus`);
    assert.ok(at.hasOutline, `${at.name} does not show the focus`);
    assert.ok(at.isLarge, `${at.name} is smaller than 24 pixels`);
    seen.add(at.name);
  }
  assert.ok([...seen].some((name) => name === "Undo"), [...seen].join(", "));
  assert.deepEqual(wrong, []);
  return null;
});

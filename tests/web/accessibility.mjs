// Every view at every width, in light and dark: axe-core, the width itself, and a picture.

import assert from "node:assert/strict";
import path from "node:path";
import { axe, run, shown, watched } from "./browser.mjs";

const WIDTHS = [
  [360, 780],
  [768, 1024],
  [1280, 900],
];

await run(async ({ address, ids, pictures, faulty, file, scheme, locale }, browser) => {
  const faults = [];
  const context = await browser.newContext({ colorScheme: scheme, locale, reducedMotion: "reduce" });
  const { page, wrong } = await watched(context, address, faulty);
  const key = `kd_tf shelf ${new URL(address).pathname}`;
  const fill = (books) =>
    page.evaluate(
      ([key, books]) => localStorage.setItem(key, JSON.stringify({ version: 1, books, hidden: [] })),
      [key, books.map((id) => ({ id }))],
    );
  const open = async (hash) => {
    await page.goto(`${address}${hash}`);
    await page.reload();
    await shown(page);
  };
  const resize = async (name, width, height) => {
    await page.setViewportSize({ width, height });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} wide at ${width}`);
  };
  const look = async (name) => {
    // A desktop window at four times the size (WCAG 1.4.10).
    await resize(name, 320, 256);
    for (const [width, height] of WIDTHS) {
      await resize(name, width, height);
      const folder = path.join(pictures, String(width));
      await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
      // Layouts differ at the ends; the middle one is between them.
      if (width === 768) continue;
      // By way of the developer tools: the page's policy lets no script in but its own.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of violations) {
        if (impact !== "serious" && impact !== "critical") continue;
        faults.push(`${name} at ${width}: ${id} (${impact}) ${nodes[0].html}`);
      }
    }
  };

  await open("#/shelf");
  await look("newcomer");
  await page.getByRole("combobox").fill("the");
  await page.keyboard.press("ArrowDown");
  await look("search");
  await fill(ids);
  await open("#/shelf");
  await page.setInputFiles("#export-file", file);
  await page.waitForSelector(".import-result h3");
  await page.locator("[data-action=remove]").first().click();
  await look("shelf");
  await open("#/for-you");
  await page.locator("[data-action=hide]").first().click();
  await page.locator("summary").click();
  await look("for-you");
  await open(`#/book/${encodeURIComponent(ids[0])}`);
  await look("book");
  await open("#/about");
  await page.locator("summary").click();
  await page.getByRole("button").filter({ hasText: /Measure|测量/ }).click();
  await page.waitForSelector(".latency[data-p50]");
  await look("about");
  await page.goto(faulty);
  await shown(page);
  await look("fault");
  assert.deepEqual(wrong, []);
  return faults;
});

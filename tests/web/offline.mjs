// The page without a network, and a new release of it.

import assert from "node:assert/strict";
import { run, shown, watched } from "./browser.mjs";

const steps = {
  /** Opens, is cut off, is opened again and used; then a link and a second tab. */
  async offline({ context, page, input }) {
    await page.goto(input.address);
    await shown(page);
    await kept(page);
    const before = await page.locator(".card .book-title").allTextContents();
    await context.setOffline(true);
    await page.reload();
    await shown(page);
    assert.deepEqual(await page.locator(".card .book-title").allTextContents(), before);
    await page.locator(".card button").first().click();
    await page.getByRole("link", { name: "For you" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".recommendation").length === 10);
    const other = await context.newPage();
    await other.goto(`${input.address}index.html#/about`);
    await shown(other);
    assert.equal(await other.textContent("h1"), "About this model");
  },

  /** Has the old release; meets a new one, untouched and touched; then a broken one. */
  async update({ page, input, tell }) {
    await page.goto(input.address);
    await shown(page);
    await kept(page);
    const [old] = await caches(page);
    await page.locator(".card button").first().click();

    await tell("new");
    // Nothing was touched yet: the new release comes of itself, whole.
    await page.reload();
    await page.waitForFunction(
      () => /Renamed/.test(document.querySelector(".brand")?.textContent ?? ""),
      undefined,
      { timeout: 15_000 },
    );
    await shown(page);
    const after = await caches(page);
    assert.equal(after.length, 1, "the old cache is gone");
    assert.notEqual(after[0], old);
    await page.goto(`${input.address}#/shelf`);
    await shown(page);
    assert.equal(await page.locator(".card:has([data-action=remove])").count(), 1, "the shelf stays");

    await tell("broken");
    await page.reload();
    await shown(page);
    await page.waitForTimeout(1500);
    assert.deepEqual(await caches(page), after, "half a release is none");
    await page.reload();
    await shown(page);
    assert.match(await page.textContent(".brand"), /Renamed/);

    await tell("old");
    await page.reload();
    await page.keyboard.press("Shift");
    await shown(page);
    const button = page.getByRole("button", { name: "Reload now" });
    await button.waitFor({ timeout: 15_000 });
    assert.match(await page.textContent(".brand"), /Renamed/, "not under the reader's hands");
    await button.click();
    await page.waitForFunction(
      () => !/Renamed/.test(document.querySelector(".brand")?.textContent ?? ""),
    );
    await shown(page);
    assert.equal(await page.locator(".card:has([data-action=remove])").count(), 1);
  },
};

/** Until the service worker has the whole release and answers for the page. */
async function kept(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
}

function caches(page) {
  return page.evaluate(() => globalThis.caches.keys());
}

await run(async (input, browser) => {
  const context = await browser.newContext({ locale: "en-GB" });
  const { page, wrong } = await watched(context, input.address);
  // Chooses what the test's server serves.
  const tell = (release) => fetch(`${input.control}${release}`, { method: "POST" });
  await steps[input.step]({ context, page, input, tell });
  assert.deepEqual(wrong, []);
  return null;
});

// What a reader sees of a bundle that is refused, and that the shelf is there still.

import assert from "node:assert/strict";
import { run, shown, watched } from "./browser.mjs";

await run(async ({ addresses }, browser) => {
  const said = {};
  for (const [fault, address] of Object.entries(addresses)) {
    const context = await browser.newContext({ locale: "en-GB" });
    const { page, wrong } = await watched(context, address);
    await context.addInitScript((key) => {
      const books = [{ id: "kept", title: "A book of mine", authors: "Somebody" }];
      localStorage.setItem(key, JSON.stringify({ version: 1, books, hidden: [] }));
    }, `kd_tf shelf ${new URL(address).pathname}`);
    await page.goto(address);
    await shown(page);
    said[fault] = await page.innerText("main");
    if (fault !== "sound") {
      assert.equal(await page.textContent("h1"), "The books cannot be opened");
      assert.equal(await page.locator("[role=alert]").count(), 1);
      assert.match(said[fault], /Your shelf of 1 book is kept in this browser/);
      assert.match(said[fault], /A book of mine · Somebody/);
      assert.equal(await page.evaluate(() => navigator.serviceWorker.getRegistration()), undefined);
    }
    assert.deepEqual(wrong, []);
    await context.close();
  }
  return said;
});

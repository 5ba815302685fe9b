// What a reader sees where the books cannot be opened, and that the shelf is there still.

import assert from "node:assert/strict";
import { run, shown, watched } from "./browser.mjs";

/** Browsers and networks in which even a sound bundle cannot be opened. */
const surroundings = {
  "no https": (page) =>
    page.addInitScript(() => {
      Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined });
    }),
  "an old browser": (page) =>
    page.addInitScript(() => {
      delete globalThis.WebAssembly;
    }),
  "no connection": (page) => page.route("**/catalog.json", (route) => route.abort()),
};

await run(async ({ addresses }, browser) => {
  const said = {};
  const look = async (fault, address, prepare = async () => {}) => {
    const context = await browser.newContext({ locale: "en-GB" });
    const { page, wrong } = await watched(context, address);
    await prepare(page);
    await context.addInitScript((key) => {
      const books = [{ id: "kept", title: "A book of mine", authors: "Somebody" }];
      localStorage.setItem(key, JSON.stringify({ version: 1, books, hidden: [] }));
    }, `kd_tf shelf ${new URL(address).pathname}`);
    await page.goto(address);
    await shown(page);
    said[fault] = await page.innerText("main");
    if (fault !== "sound") {
      assert.equal(await page.textContent("h1"), "The books cannot be opened", fault);
      assert.equal(await page.locator("[role=alert]").count(), 1);
      assert.match(said[fault], /Your shelf of 1 book is kept in this browser/);
      assert.match(said[fault], /A book of mine · Somebody/);
      assert.equal(await page.evaluate(() => navigator.serviceWorker.getRegistration()), undefined);
    }
    assert.deepEqual(wrong, []);
    await context.close();
  };
  for (const [fault, address] of Object.entries(addresses)) await look(fault, address);
  for (const [fault, prepare] of Object.entries(surroundings)) {
    await look(fault, addresses.sound, prepare);
  }
  return said;
});

// How fast the page is, from a browser that knows nothing of it.

import { run, shown, watched } from "./browser.mjs";

const ROUNDS = 3;

async function measure(browser, { address, queries }) {
  const context = await browser.newContext({ locale: "en-GB" });
  const { page, wrong } = await watched(context, address);
  await page.goto(`${address}#/for-you`);
  await page.waitForSelector(".recommendation");
  const first = await page.evaluate(() => performance.getEntriesByName("first view")[0].startTime);
  // While the service worker fetches and hashes the release, it has one of the two processors.
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
  await page.getByRole("link", { name: "My shelf" }).click();
  await page.waitForSelector("#search");
  const keystrokes = await page.evaluate((queries) => {
    const field = document.querySelector("#search");
    const times = [];
    for (const query of queries) {
      for (let length = 1; length <= query.length; length += 1) {
        const begin = performance.now();
        field.value = query.slice(0, length);
        field.dispatchEvent(new Event("input"));
        // Laid out too, not only made.
        document.querySelector("#suggestions").getBoundingClientRect();
        times.push(performance.now() - begin);
      }
    }
    return times;
  }, queries);
  await page.getByRole("link", { name: "About" }).click();
  await page.getByRole("button", { name: "Measure on this device" }).click();
  const latency = await page.waitForSelector(".latency[data-p50]");
  const { p50, p90 } = await latency.evaluate(({ dataset }) => ({ ...dataset }));
  await context.close();
  return { firstSeconds: first / 1000, p50: Number(p50), p90: Number(p90), keystrokes, wrong };
}

await run(async (input, browser) => {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(browser, input));
  return rounds;
});

// What the page's own ranker makes of lists, what it shows of it, and what leaves the page.

import { axe, run, watched } from "./browser.mjs";

await run(async ({ address, histories, devices, shelf, picture }, browser) => {
  const context = await browser.newContext({ locale: "de-AT", timezoneId: "Asia/Kathmandu" });
  const { page, wrong } = await watched(context, address);
  await page.goto(`${address}LICENSE.txt`);
  const lists = await page.evaluate(
    async ([home, histories, devices]) => {
      const { openBundle } = await import(`${home}js/bundle.js`);
      const { BookRecommender } = await import(`${home}js/recommender.js`);
      const { BookRanker } = await import(`${home}js/ranker.js`);
      const { momentHere } = await import(`${home}js/row_sources.js`);
      const bundle = await openBundle(new URL("bundle/", home));
      const litert = new URL("litert/", home);
      const recommender = await BookRecommender.open(bundle, litert);
      const ranker = await BookRanker.open(bundle.ranker, bundle.books, litert);
      const lists = [];
      for (const device of devices) {
        const context = bundle.ranker.sources.makeContext(device);
        for (const history of histories) {
          const recommended = await recommender.recommend(history);
          lists.push(await ranker.rerank(recommended, history, context));
        }
      }
      const { offsetMinutes, language } = momentHere();
      return { lists, offsetMinutes, language };
    },
    [address, histories, devices],
  );
  await page.evaluate(
    ([home, books]) => {
      const key = `kd_tf shelf ${new URL(home).pathname}`;
      localStorage.setItem(key, JSON.stringify({ version: 1, books, hidden: [] }));
    },
    [address, shelf],
  );
  const titles = () => page.locator(".recommendation-text a").allTextContents();
  const show = async (hash, heading) => {
    await page.goto(`${address}${hash}`);
    await page.locator("h1", { hasText: heading }).waitFor();
  };
  /** Faults of the view for those who do not see it, and on the narrowest screens. */
  const inspect = async () => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    for (const { id, impact } of violations) {
      if (impact === "serious" || impact === "critical") wrong.push(`${page.url()}: ${id}`);
    }
    const size = page.viewportSize();
    await page.setViewportSize({ width: 320, height: 640 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > 320) wrong.push(`${page.url()} is ${wide} wide at 320`);
    await page.setViewportSize(size);
  };
  await show("#/for-you", "For you");
  await inspect();
  const sorted = await titles();
  const note = await page.locator(".reranked").count();
  const scores = await page.locator(".prediction").allTextContents();
  await show("#/about", "About this model");
  await inspect();
  const toggle = page.locator('[role="switch"]');
  const state = async () => [await toggle.textContent(), await toggle.getAttribute("aria-checked")];
  const before = await state();
  const values = await page.locator("#rerank-values").innerText();
  if (picture) {
    await page.setViewportSize({ width: 900, height: 1400 });
    await page.screenshot({ path: picture, fullPage: true });
  }
  await toggle.click();
  const after = await state();
  const valuesOff = await page.locator("#rerank-values").innerText();
  await page.reload();
  await show("#/for-you", "For you");
  const unsorted = await titles();
  const noteOff = await page.locator(".reranked").count();
  return {
    ...lists, sorted, unsorted, note, noteOff, scores, before, after, values, valuesOff, wrong,
  };
});

// What the page's own recommender answers.

import { run, watched } from "./browser.mjs";

await run(async ({ address, histories, books, explained, calls }, browser) => {
  const { page, wrong } = await watched(await browser.newContext(), address);
  // A page of the same origin where the recommender is not open yet: it opens once a page.
  await page.goto(`${address}LICENSE.txt`);
  const answers = await page.evaluate(
    async ([home, histories, books, explained, calls]) => {
      const { openBundle } = await import(`${home}js/bundle.js`);
      const { BookRecommender } = await import(`${home}js/recommender.js`);
      const bundle = await openBundle(new URL("bundle/", home));
      const recommender = await BookRecommender.open(bundle, new URL("litert/", home));
      const all = (items, ask) => Promise.all(items.map(ask));
      const litert = await import(`${home}litert/core.js`);
      const memory = () => litert.getGlobalLiteRt().liteRtWasm.HEAPU8.length;
      const before = memory();
      for (let call = 0; call < calls; call += 1) await recommender.recommend(histories[1]);
      return {
        grown: memory() - before,
        recommended: await all(histories, (history) => recommender.recommend(history)),
        similar: await all(books, (book) => recommender.similar(book)),
        explained: await all(explained, ([history, book]) => recommender.explain(history, book, 3)),
      };
    },
    [address, histories, books, explained, calls],
  );
  return { ...answers, wrong };
});

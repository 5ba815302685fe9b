// What a reader sees where a file of the ranker is not what it should be.

import { run, shown, watched } from "./browser.mjs";

await run(async ({ addresses }, browser) => {
  const said = {};
  for (const [fault, address] of Object.entries(addresses)) {
    const context = await browser.newContext({ locale: "en-GB" });
    const { page } = await watched(context, address);
    await page.goto(address);
    await shown(page);
    said[fault] = await page.innerText("main");
    await context.close();
  }
  return said;
});

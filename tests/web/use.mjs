// Readers at the page: each flow is one of them, from a fresh browser on.

import assert from "node:assert/strict";
import { run, shown, watched } from "./browser.mjs";

const SHELF_KEY = (address) => `kd_tf shelf ${new URL(address).pathname}`;

const flows = {
  /** Fills a shelf by keyboard, takes things back, and finds it again. */
  async shelf({ page, input }) {
    await page.goto(input.address);
    await shown(page);
    assert.equal(await page.textContent("h1"), "My shelf", "a newcomer starts at the shelf");
    assert.equal(await page.locator(".card").count(), 6, "some books to start with");
    const search = page.getByRole("combobox");
    await search.fill(input.query);
    assert.equal(await search.getAttribute("aria-expanded"), "true");
    const options = await page.getByRole("option").allTextContents();
    assert.ok(options[0].startsWith(input.title), options[0]);
    await page.keyboard.press("ArrowDown");
    const active = await search.getAttribute("aria-activedescendant");
    assert.equal(await page.getAttribute(`#${active}`, "aria-selected"), "true");
    await page.keyboard.press("Enter");
    await says(page, `“${input.title}” is on your shelf.`);
    assert.deepEqual(await titles(page), [input.title]);
    assert.equal(await search.inputValue(), "", "the field is ready for the next book");
    assert.ok(await search.evaluate((node) => node === document.activeElement));

    await page.getByRole("button", { name: "Undo" }).click();
    await says(page, "Taken back.");
    assert.equal(await page.locator(".empty-state").count(), 1);

    for (const id of input.ids) await add(page, id);
    const names = [...input.titles].reverse();
    assert.deepEqual(await titles(page), names, "newest first");
    // The second of three goes; the keyboard is at the one that took its place.
    await page.getByRole("button", { name: `Remove ${names[1]} from my shelf` }).press("Enter");
    assert.deepEqual(await titles(page), [names[0], names[2]]);
    const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    assert.equal(focused, `Remove ${names[2]} from my shelf`);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.deepEqual(await titles(page), names, "back in its place");
    assert.ok(await page.evaluate(() => document.activeElement?.tagName === "H1"));
    await page.getByRole("combobox").fill(input.ids[0]);
    await page.keyboard.press("Enter");
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0, "nothing to undo");
    assert.deepEqual(await titles(page), names);

    const other = await page.context().newPage();
    await other.goto(`${input.address}#/shelf`);
    await shown(other);
    await other.getByRole("button", { name: `Remove ${names[0]} from my shelf` }).click();
    await page.waitForFunction(() => document.querySelectorAll(".card").length === 2);
    await other.close();

    await page.reload();
    await shown(page);
    await page.getByRole("link", { name: "My shelf" }).click();
    assert.deepEqual(await titles(page), names.slice(1), "kept over a reload");
  },

  /** Types what no book has, by scripts with and without spaces, and leaves again. */
  async search({ page, input }) {
    await page.goto(`${input.address}#/shelf`);
    await shown(page);
    const search = page.getByRole("combobox");
    await search.fill("zzzz");
    assert.ok(await page.locator(".search-none").isVisible());
    await search.fill("星河");
    assert.match((await page.getByRole("option").allTextContents())[0], /^三体与星河/);
    await page.keyboard.press("Escape");
    assert.equal(await page.getByRole("listbox").isVisible(), false);
    assert.equal(await search.inputValue(), "星河", "the first Escape closes");
    await page.keyboard.press("Escape");
    assert.equal(await search.inputValue(), "", "the second clears");
    await search.fill("<img");
    assert.match((await page.getByRole("option").allTextContents())[0], /^<img src=x/);
    await page.getByRole("option").first().click();
    await says(page, '“<img src=x onerror="alert(1)">” is on your shelf.');
    await search.fill("<img");
    assert.match((await page.getByRole("option").allTextContents())[0], /On your shelf$/);
  },

  /** Sees what Python recommends, hides, adds, and reads on. */
  async forYou({ page, input }) {
    await page.goto(input.address);
    await keep(page, input);
    await page.goto(input.address);
    await page.reload();
    await shown(page);
    assert.equal(await page.textContent("h1"), "For you", "who has a shelf starts here");
    assert.deepEqual(await titles(page), input.expected.slice(0, 10));
    assert.deepEqual(await page.locator(".because").allTextContents(), input.because);
    const marked = page.locator(".recommendation", { has: page.getByText("New", { exact: true }) });
    assert.deepEqual(await marked.locator(".book-title").allTextContents(), input.marked);
    const widths = await page
      .locator(".bar-filled")
      .evaluateAll((bars) => bars.map((bar) => Number.parseFloat(bar.style.width)));
    assert.deepEqual(widths, [...widths].sort((a, b) => b - a), "bars as the scores");
    await page.getByRole("button", { name: "Show more" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".recommendation").length > 10);
    assert.deepEqual(await titles(page), input.expected);
    const next = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(next, input.expected[10], "the keyboard goes on at the first new one");

    await page.getByRole("button", { name: `Not for me: ${input.expected[0]}` }).click();
    await page.waitForSelector(".hidden-books");
    assert.equal((await titles(page))[0], input.expected[1]);
    await page.getByRole("button", { name: "Undo" }).click();
    await page.waitForFunction(() => !document.querySelector(".hidden-books"));
    assert.equal((await titles(page))[0], input.expected[0]);
    await page.getByRole("button", { name: `Not for me: ${input.expected[0]}` }).click();
    await page.reload();
    await shown(page);
    await page.getByText("1 hidden book").click();
    await page.getByRole("button", { name: `Show again: ${input.expected[0]}` }).click();
    await page.waitForFunction(() => !document.querySelector(".hidden-books"));
    assert.equal((await titles(page))[0], input.expected[0]);

    await page.getByRole("button", { name: `Add to my shelf: ${input.expected[0]}` }).click();
    await page.waitForFunction(
      (title) => document.querySelector(".book-title")?.textContent !== title,
      input.expected[0],
    );
    assert.deepEqual(await titles(page), input.afterwards.slice(0, 10), "the list follows");
  },

  /** Looks at books: one with everything, one with nothing, one that is not there. */
  async book({ page, input }) {
    await page.goto(`${input.address}#/book/${encodeURIComponent(input.id)}`);
    await shown(page);
    assert.equal(await page.textContent("h1"), input.title);
    assert.equal(await page.textContent(".blurb"), input.text, "text, not HTML");
    assert.deepEqual(await titles(page), input.similar);
    await page.getByRole("button", { name: `Add to my shelf: ${input.title}` }).press("Enter");
    assert.equal(await page.locator(".book .badge").textContent(), "On your shelf");
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(focused, "Remove", "the keyboard stays at the button");
    await page.locator(".card .book-title").first().press("Enter");
    await page.waitForFunction((t) => document.querySelector("h1")?.textContent === t, input.similar[0]);
    assert.ok(await page.evaluate(() => document.activeElement?.tagName === "H1"));

    await page.goto(`${input.address}#/book/${encodeURIComponent(input.untitled)}`);
    await page.waitForFunction(() => document.querySelector("h1")?.textContent?.startsWith("Book"));
    assert.equal(await page.textContent("h1"), `Book ${input.untitled}`);
    await page.goto(`${input.address}#/book/nothing%`);
    await page.waitForFunction(() => /no such book/.test(document.querySelector("h1")?.textContent ?? ""));
  },

  /** Reads of the model, and measures it. */
  async about({ page, input }) {
    await page.goto(`${input.address}#/about`);
    await shown(page);
    const text = await page.innerText("main");
    for (const part of input.parts) assert.ok(text.includes(part), part);
    await page.getByRole("button", { name: "Measure on this device" }).click();
    await page.waitForSelector(".latency[data-p50]");
    assert.match(
      await page.innerText(".latency"),
      /^Half of 200 recommendations took less than [\d.]+ ms, nine in ten less than [\d.]+ ms\.$/,
    );
    await page.getByText("Model card").click();
    assert.ok((await page.innerText(".model-card")).includes("Nobody wrote them."));
  },

  /** Reads Chinese. */
  async language({ page, input }) {
    await page.goto(input.address);
    await shown(page);
    assert.equal(await page.textContent("h1"), "我的书架", "as the browser asks");
    assert.equal(await page.getAttribute("html", "lang"), "zh-Hans");
    await add(page, input.ids[0]);
    await says(page, `《${input.titles[0]}》已加入书架。`);
    await page.getByRole("button", { name: "EN" }).click();
    await page.waitForFunction(() => document.querySelector("h1")?.textContent === "My shelf");
    assert.equal(await page.getAttribute("html", "lang"), "en");
    await page.reload();
    await shown(page);
    assert.equal(await page.textContent("h1"), "My shelf", "the choice is kept");
    assert.equal(await page.title(), "My shelf · What to read next");
  },

  /** Brings a library, by choosing and by dropping; and files that are none. */
  async readingList({ page, input }) {
    await page.goto(`${input.address}#/shelf`);
    await shown(page);
    await page.setInputFiles("#export-file", input.file);
    await page.waitForSelector(".import-result h3");
    assert.ok(await page.evaluate(() => document.activeElement?.tagName === "H3"));
    assert.deepEqual(await page.locator(".import-result .facts li").allTextContents(), input.facts);
    assert.deepEqual(await page.locator(".unmatched li").allTextContents(), input.unmatched);
    assert.deepEqual(await titles(page), input.shelf);
    assert.equal(await page.locator(".unmatched script").count(), 0);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal(await page.locator(".empty-state").count(), 1, "taken back as a whole");
    await page.setInputFiles("#export-file", input.file);
    await page.waitForSelector(".card [data-action=remove]");

    for (const [file, message] of Object.entries(input.refused)) {
      await page.setInputFiles("#export-file", file);
      await page.waitForFunction(
        (message) => document.querySelector(".import-result .fault")?.textContent?.includes(message),
        message,
      );
      assert.match(await page.innerText(".import-result"), /Import and export → Export library/);
      assert.deepEqual(await titles(page), input.shelf, "the shelf is as it was");
    }
    await page.getByRole("button", { name: "Close this report" }).click();
    assert.equal(await page.locator(".import-result *").count(), 0);

    await page.getByRole("link", { name: "About" }).click();
    await page.waitForFunction(() => document.querySelector("h1")?.textContent === "About this model");
    await page.evaluate(
      ([name, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], name));
        for (const type of ["dragover", "drop"]) {
          const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
          if (!event.defaultPrevented) throw new Error(`${type} would leave the page`);
        }
      },
      ["export.csv", input.dropped],
    );
    await page.waitForSelector(".import-result h3");
    assert.equal(await page.textContent("h1"), "My shelf");
    assert.deepEqual(await titles(page), [...input.droppedTitles, ...input.shelf]);
    const facts = await page.locator(".import-result .facts li").allTextContents();
    assert.ok(facts.includes("1 rated below 3 of 5, left out"), facts.join());
    assert.ok(facts.some((fact) => fact.startsWith("1 hidden: ")), facts.join());
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.getByRole("link", { name: "For you" }).first().click();
    await page.waitForSelector(".hidden-books");
    assert.ok((await page.textContent(".hidden-books"))?.includes(input.hidden));
  },

  /** Brings ten thousand rows. */
  async large({ page, input }) {
    await page.goto(`${input.address}#/shelf`);
    await shown(page);
    const seconds = await page.evaluate(async (text) => {
      const field = document.querySelector("#export-file");
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "export.csv"));
      field.files = transfer.files;
      const begin = performance.now();
      field.dispatchEvent(new Event("change"));
      while (!document.querySelector(".import-result h3")) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return (performance.now() - begin) / 1000;
    }, input.csv);
    assert.equal(await page.locator(".import-result strong").textContent(), input.added);
    assert.match(await page.innerText(".lead"), /The model looks at the newest 50 of them/);
    return seconds;
  },

  /** Comes back to a catalogue without two of the books, which then has them again. */
  async gone({ page, input }) {
    await page.goto(input.address);
    await keep(page, { ...input, ids: ["gone-1", ...input.ids, "gone-2"] });
    await page.goto(`${input.address}#/shelf`);
    await page.reload();
    await shown(page);
    await says(page, "2 books of your shelf are not in this catalogue. They are kept aside at the end of your shelf.");
    assert.equal((await titles(page)).length, input.ids.length);
    assert.deepEqual(await page.locator(".rows li > span").allTextContents(), ["Kept gone-2", "Kept gone-1"]);
    await page.getByRole("button", { name: "Remove Kept gone-1 from my shelf" }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    const stored = await page.evaluate((key) => JSON.parse(localStorage.getItem(key)), SHELF_KEY(input.address));
    assert.deepEqual(stored.books.map(({ id }) => id), ["gone-1", ...input.ids, "gone-2"]);
  },

  /** Has a shelf that cannot be read; a browser that stores nothing; and one that is full. */
  async storage({ page, input }) {
    await page.goto(input.address);
    await page.evaluate(([key]) => localStorage.setItem(key, '{"version":99}'), [SHELF_KEY(input.address)]);
    await page.reload();
    await shown(page);
    await says(page, "The stored shelf could not be read. A copy of it is kept; this page starts with an empty one.");
    await add(page, input.ids[0]);
    const kept = await page.evaluate((key) => localStorage.getItem(`${key} (unreadable)`), SHELF_KEY(input.address));
    assert.equal(kept, '{"version":99}');

    const other = await page.context().newPage();
    await other.addInitScript(() => {
      Object.defineProperty(window, "localStorage", {
        get() {
          throw new DOMException("no", "SecurityError");
        },
      });
    });
    await other.goto(input.address);
    await shown(other);
    await add(other, input.ids[0]);
    await says(other, "This browser does not let the page store your shelf: the last changes are lost when you close it.");
    assert.equal(await other.locator(".card").count(), 1);
    await other.close();

    const full = await page.context().newPage();
    await full.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await full.goto(`${input.address}#/shelf`);
    await shown(full);
    await add(full, input.ids[1]);
    await says(full, "This browser does not let the page store your shelf: the last changes are lost when you close it.");
    const stored = await full.evaluate((key) => localStorage.getItem(key), SHELF_KEY(input.address));
    assert.deepEqual(JSON.parse(stored).books.map(({ id }) => id), input.ids.slice(0, 1), "the stored one is as it was");
    await full.close();
  },

  /** Has read everything. */
  async everything({ page, input }) {
    await page.goto(input.address);
    await keep(page, input);
    await page.goto(`${input.address}#/for-you`);
    await page.reload();
    await shown(page);
    assert.match(await page.innerText(".empty-state"), /nothing left to recommend/);
    await page.getByRole("link", { name: "My shelf" }).click();
    await page.waitForFunction(() => document.querySelector("h1")?.textContent === "My shelf");
    assert.equal(await page.locator(".card").count(), 60, "ten thousand cards would take seconds");
    await page.getByRole("button", { name: "Show more" }).click();
    assert.equal(await page.locator(".card").count(), 120);
  },
};

/** The titles that the view lists. */
function titles(page) {
  return page.locator("main :is(.card, .recommendation) .book-title").allTextContents();
}

/** Adds a book by its id. */
async function add(page, id) {
  const before = await page.locator(".card:has([data-action=remove])").count();
  await page.getByRole("combobox").fill(id);
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    (count) => document.querySelectorAll(".card:has([data-action=remove])").length > count,
    before,
  );
}

/** A shelf as the page itself keeps it. */
function keep(page, { address, ids }) {
  return page.evaluate(
    ([key, ids]) => {
      const books = ids.map((id) => ({ id, title: `Kept ${id}` }));
      localStorage.setItem(key, JSON.stringify({ version: 1, books, hidden: [] }));
    },
    [SHELF_KEY(address), ids],
  );
}

/** Waits until the notice says this. */
async function says(page, text) {
  await page
    .waitForFunction(
      (text) => document.querySelector("#notice [role=status]")?.textContent === text,
      text,
      { timeout: 5000 },
    )
    .catch(async () => assert.equal(await page.textContent("#notice [role=status]"), text));
}

await run(async (input, browser) => {
  const context = await browser.newContext({ locale: input.locale ?? "en-GB" });
  const { page, wrong } = await watched(context, input.address);
  const answer = await flows[input.flow]({ page, input });
  assert.deepEqual(wrong, []);
  return answer ?? null;
});

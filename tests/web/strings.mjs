// The page's words, by language.

const sources = new URL("../../web_demo/js/", import.meta.url);
const { STRINGS } = await import(new URL("language.js", sources).href);
console.log(JSON.stringify(STRINGS));

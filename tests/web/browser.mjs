// Debian's Chromium, driven by playwright-core; and what every script here says and hears: one JSON
// object on standard input, one on standard output.

import fs from "node:fs";

const MODULES = new URL("../../web_demo/node_modules/", import.meta.url);

// Hear what the service worker asks for as well.
process.env.PW_EXPERIMENTAL_SERVICE_WORKER_NETWORK_EVENTS = "1";

export const { chromium } = await import(new URL("playwright-core/index.mjs", MODULES).href);
export const axe = fs.readFileSync(new URL("axe-core/axe.min.js", MODULES), "utf8");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Runs a script: its input is handed over, its answer printed, its browser closed whatever happens.
 *
 * @param {(input: any, browser: any) => Promise<unknown>} script
 */
export async function run(script) {
  const input = JSON.parse(fs.readFileSync(0, "utf8"));
  const browser = await chromium.launch({
    executablePath: input.chromium,
    headless: true,
    args: FLAGS,
  });
  try {
    console.log(JSON.stringify(await script(input, browser)));
  } finally {
    await browser.close();
  }
}

/**
 * A page that remembers what should not have happened: errors, violations of the policy, requests
 * to any other origin.
 *
 * @param {any} context
 * @param {...string} addresses
 */
export async function watched(context, ...addresses) {
  const origins = new Set(addresses.map((address) => new URL(address).origin));
  const wrong = [];
  context.on("request", (request) => {
    if (!origins.has(new URL(request.url()).origin)) wrong.push(`asked ${request.url()}`);
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`error ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrong.push(message.text());
  });
  return { page, wrong };
}

/** Until the view is there. */
export function shown(page) {
  return page.waitForSelector("main:not([aria-busy]) h1");
}

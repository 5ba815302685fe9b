// Keeps one whole release (page, runtime, model and catalogue) for offline use. release.js names its
// files and their hashes; it is written by kd-tf together with them, so that every change of any
// file is a new release with a cache of its own. A release is taken whole or not at all.

importScripts("release.js");

/** @type {{ version: string, files: Record<string, string> }} */
const { version, files } = self.RELEASE;
const SCOPE = self.registration.scope;
const CACHE = `kd_tf ${SCOPE} ${version}`;

self.addEventListener("install", (event) => event.waitUntil(fetchRelease()));

self.addEventListener("activate", (event) => event.waitUntil(takeCharge()));

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(SCOPE)) return;
  const file = decodeURIComponent(url.pathname).slice(new URL(SCOPE).pathname.length);
  const name = file === "" ? "index.html" : file;
  if (Object.hasOwn(files, name)) event.respondWith(answer(event.request, name));
});

async function fetchRelease() {
  const cache = await caches.open(CACHE);
  try {
    await Promise.all(
      Object.entries(files).map(async ([name, integrity]) => {
        const url = new URL(encodeName(name), SCOPE);
        // Half an upload, an old copy in some cache on the way: the hash tells.
        const response = await fetch(url, { cache: "no-cache", integrity });
        if (!response.ok) throw new Error(`${name}: ${response.status}`);
        // A new response: one that was redirected may not answer for a page.
        const { headers } = response;
        await cache.put(url, new Response(await response.blob(), { headers }));
      }),
    );
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function takeCharge() {
  const names = await caches.keys();
  const older = names.filter((name) => name.startsWith(`kd_tf ${SCOPE} `) && name !== CACHE);
  await Promise.all(older.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request, name) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(new URL(encodeName(name), SCOPE));
  // The browser may have thrown the cache away to make room.
  return kept ?? fetch(request);
}

function encodeName(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

// The service worker keeps the page and its books for offline use; see service_worker.js.

/** Whether the reader did anything yet; watched from the very start of the page. */
let isTouched = false;
for (const event of ["pointerdown", "keydown"]) {
  addEventListener(event, () => (isTouched = true), { once: true, capture: true });
}

/**
 * Registers it. A newer release replaces the whole page at once: without asking while nothing was
 * touched yet, else when the reader says so.
 *
 * @param {(takeOver: () => void) => void} offer Called when a newer release is ready.
 */
export async function keepForOffline(offer) {
  if (!("serviceWorker" in navigator)) return;
  // The first worker of all takes charge of a page that is up to date; only a change of workers
  // calls for a reload.
  if (navigator.serviceWorker.controller) {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), {
      once: true,
    });
  }
  let registration;
  try {
    registration = await navigator.serviceWorker.register("service_worker.js", {
      updateViaCache: "none",
    });
  } catch {
    // Not on https, or forbidden by the reader: the page works all the same while it is online.
    return;
  }
  const ready = (/** @type {ServiceWorker} */ worker) => {
    const takeOver = () => worker.postMessage("take over");
    if (isTouched) offer(takeOver);
    else takeOver();
  };
  const watch = (/** @type {ServiceWorker | null} */ worker) => {
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed" && navigator.serviceWorker.controller) ready(worker);
    });
  };
  if (registration.waiting && navigator.serviceWorker.controller) ready(registration.waiting);
  watch(registration.installing);
  registration.addEventListener("updatefound", () => watch(registration.installing));
}

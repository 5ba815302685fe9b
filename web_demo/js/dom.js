// Elements without a framework. Texts only ever become text nodes, so that a title with "<" in it, or
// a formula in a file of somebody's, is nothing but text.

/**
 * @typedef {Node | string | null | undefined | false} Child
 * @typedef {object} Properties
 * @property {Record<string, (event: any) => void>} [on] Listeners by event.
 * @property {Record<string, string>} [data]
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties & Record<string, unknown>} [properties] Everything but `on` and `data` is an
 *   attribute; true sets it empty, false, null and undefined leave it out.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  const { on, data, ...attributes } = properties;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, String(value));
  }
  Object.assign(node.dataset, data);
  for (const [event, listener] of Object.entries(on ?? {})) node.addEventListener(event, listener);
  node.append(...children.filter(isNode));
  return node;
}

/**
 * Fills a part of the page anew without taking the keyboard's place away: what had the focus gets
 * it back (`data-action` and `data-id` say what is the same); where it is gone, the next of its
 * kind, or the page's heading. After "more" the first new item of the list before it gets it.
 *
 * @param {HTMLElement} part
 * @param {Child[]} children
 */
export function refill(part, children) {
  const focused = document.activeElement;
  const { action, id } =
    focused instanceof HTMLElement && part.contains(focused) ? focused.dataset : {};
  const place = action ? actionsIn(part, action).indexOf(/** @type {HTMLElement} */ (focused)) : -1;
  const list = action === "more" ? focused?.previousElementSibling : null;
  part.replaceChildren(...children.filter(isNode));
  if (!action) return;
  if (list) {
    const item = part.querySelector(`.${list.className}`)?.children[list.children.length];
    focusQuietly(item?.querySelector("a") ?? item);
    return;
  }
  const same = actionsIn(part, action);
  const next =
    same.find((one) => one.dataset.id === id) ?? same[Math.min(place, same.length - 1)] ?? null;
  focusQuietly(next ?? document.querySelector("h1"));
}

/**
 * Gives the focus without moving the page under a reader who points.
 *
 * @param {Element | null | undefined} node
 */
export function focusQuietly(node) {
  if (!(node instanceof HTMLElement)) return;
  if (node.tabIndex < 0 && !node.hasAttribute("tabindex")) node.tabIndex = -1;
  node.focus({ preventScroll: true });
}

/**
 * @param {HTMLElement} part
 * @param {string} action
 */
function actionsIn(part, action) {
  return /** @type {HTMLElement[]} */ ([...part.querySelectorAll(`[data-action="${action}"]`)]);
}

/**
 * @param {Child} child
 * @returns {child is Node | string}
 */
function isNode(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

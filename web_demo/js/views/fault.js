import { titleOf } from "../books.js";
import { el } from "../dom.js";
import { Fault } from "../fault.js";
import { t } from "../language.js";

/**
 * The page in place of a bundle that is refused: what is wrong, what to do, and that the shelf is
 * there still.
 *
 * @param {unknown} error
 * @param {import("../shelf.js").Shelf} shelf
 * @returns {import("../page.js").View}
 */
export function faultView(error, shelf) {
  const [what, hint] =
    error instanceof Fault
      ? [t(error.code, error.values), t(`${error.code}.do`)]
      : [t("error.unexpected", { why: String(error) }), t("error.unexpected.do")];
  const node = el(
    "div",
    { class: "view" },
    el("h1", { id: "heading", tabindex: "-1" }, t("error.title")),
    el(
      "div",
      { class: "panel fault", role: "alert" },
      el("p", {}, el("strong", {}, what)),
      el("p", {}, hint),
      el("p", {}, t("error.maker")),
    ),
    el(
      "p",
      { class: "again" },
      el(
        "button",
        { class: "button primary", type: "button", on: { click: () => location.reload() } },
        t("error.again"),
      ),
    ),
    ...(shelf.books.length
      ? [
          el("h2", { id: "kept" }, t("error.kept", { n: shelf.books.length })),
          el(
            "ul",
            { role: "list", class: "rows", "aria-labelledby": "kept" },
            ...[...shelf.books]
              .reverse()
              .map((book) =>
                el("li", {}, [titleOf(book), book.authors].filter(Boolean).join(" · ")),
              ),
          ),
        ]
      : []),
  );
  return { title: t("error.title"), node };
}

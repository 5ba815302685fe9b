"""What holds for the page's sources: types, words in both languages, and no way out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kd_tf.preview.site import PAGE

pytestmark = pytest.mark.browser

SOURCES = sorted(PAGE.glob("js/**/*.js"))


def test_the_types_hold(modules: Path, node: str) -> None:
    compiler = modules / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [node, str(compiler), "--project", str(PAGE.resolve())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_both_languages_say_the_same_things(run_node: Callable[..., Any]) -> None:
    strings = run_node("strings.mjs")
    # Chinese has one plural form, "other".
    english = {key for key in strings["en"] if not key.endswith(".one")}
    assert set(strings["zh"]) == english
    for key in english:
        assert places(strings["zh"][key]) == places(strings["en"][key]), key
    for key, text in strings["en"].items():
        if key.endswith(".one"):
            assert places(text) == places(strings["en"][f"{key.removesuffix('.one')}.other"]), key


def test_every_text_is_used_and_every_used_text_is_there(run_node: Callable[..., Any]) -> None:
    code = "".join(path.read_text("utf-8") for path in SOURCES if "strings" not in path.parts)
    code += (PAGE / "index.html").read_text("utf-8")
    used = set(re.findall(r'(?<![\w.])t\(\s*"([\w.-]+)"', code))
    used |= set(re.findall(r'data-text="([\w.]+)"', code))
    used |= set(re.findall(r'new Fault\(\s*"([\w.-]+)"', code))
    used |= {f"{name}.do" for name in used if name.startswith(("bundle.", "model."))}
    # Put together at run time: actions, headings of sections, facts.
    used |= {
        f"book.{action}{of}" for action in ("add", "remove", "hide", "show") for of in ("", ".of")
    }
    used |= set(re.findall(r'section\("([\w.]+)"', code))
    used |= set(re.findall(r'\["(details\.\w+)",', code))
    keys = set(run_node("strings.mjs")["en"])
    plain = {re.sub(r"\.(one|other)$", "", key) for key in keys}
    facts = {key for key in plain if key.startswith("about.dataset.")}
    assert used - plain == set()
    assert plain - used - facts == set()


def test_nothing_is_made_of_a_text_but_text() -> None:
    ways_to_html = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    for path in [*SOURCES, PAGE / "service_worker.js"]:
        assert not re.search(ways_to_html, path.read_text("utf-8")), path


def test_no_source_names_another_host() -> None:
    for path in [*SOURCES, PAGE / "service_worker.js", PAGE / "index.html", PAGE / "style.css"]:
        assert not re.search(r"https?://|url\(", path.read_text("utf-8")), path


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))

"""Every view by axe-core, by keyboard and by its width; and pictures of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site

pytestmark = pytest.mark.browser

WIDTHS = (360, 768, 1280)


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "zh-CN")])
def test_no_view_has_a_serious_fault_or_is_wider_than_the_screen(
    scheme: str,
    locale: str,
    site: Site,
    address: str,
    serve: Callable[[Site], PreviewServer],
    run_browser: Callable[..., Any],
    tmp_path: Path,
) -> None:
    # KD_TF_PICTURES keeps the pictures, to be looked at.
    pictures = Path(os.environ.get("KD_TF_PICTURES", tmp_path)) / scheme
    for width in WIDTHS:
        (pictures / str(width)).mkdir(parents=True, exist_ok=True)
    library = tmp_path / "library.csv"
    library.write_text("Title,Author\nA book that is not in the catalogue,Somebody\n", "utf-8")
    broken = {**site.files, "bundle/model.tflite": b"damaged"}
    faults = run_browser(
        "accessibility.mjs",
        address=address,
        ids=[f"b{2 * number}" for number in (7, 21, 43, 65, 87)],
        pictures=str(pictures),
        faulty=serve(Site(site.name, broken)).url,
        file=str(library),
        scheme=scheme,
        locale=locale,
    )
    assert faults == []
    assert len(list(pictures.rglob("*.png"))) == 7 * len(WIDTHS)


def test_everything_is_reached_by_keyboard_and_seen(
    address: str, run_browser: Callable[..., Any]
) -> None:
    run_browser("keyboard.mjs", address=address)

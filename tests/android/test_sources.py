"""What can be seen in the app's sources without building it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "android_demo"
MAIN = APP / "app/src/main"
ANDROID = "{http://schemas.android.com/apk/res/android}"
PLACEHOLDER = re.compile(r"%\d\$[a-z]|%%")
LAYOUTS = sorted((MAIN / "res").glob("layout*/*.xml")) + sorted(
    (MAIN / "res").glob("values*/styles.xml")
)


def texts(language: str) -> dict[str, list[str]]:
    """Every string by name; a plural has several."""
    root = ET.parse(MAIN / "res" / language / "strings.xml").getroot()
    return {
        one.get("name", ""): [item.text or "" for item in one] or [one.text or ""] for one in root
    }


def test_no_permission_is_asked_for() -> None:
    manifest = ET.parse(MAIN / "AndroidManifest.xml").getroot()
    assert not [one.tag for one in manifest.iter() if "permission" in one.tag]
    assert manifest.find("application").get(f"{ANDROID}supportsRtl") == "true"


def test_every_string_is_there_in_both_languages() -> None:
    english, chinese = texts("values"), texts("values-zh")
    assert sorted(english) == sorted(chinese)
    for name, forms in english.items():
        expected = sorted(PLACEHOLDER.findall(forms[-1].replace("percent", "%%")))
        for form in chinese[name]:
            found = sorted(PLACEHOLDER.findall(form))
            assert [one for one in found if one != "%%"] == [
                one for one in expected if one != "%%"
            ], name
            assert form.strip(), name


def test_every_string_is_used() -> None:
    sources = "".join(
        path.read_text("utf-8") for path in MAIN.rglob("*") if path.suffix in (".java", ".xml")
    )
    unused = [
        name
        for name in texts("values")
        if not re.search(rf"(R\.(string|plurals)\.|@(string|plurals)/){name}\b", sources)
    ]
    assert unused == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fonts_grow_and_sides_follow_the_direction_of_writing(layout: Path) -> None:
    text = layout.read_text("utf-8")
    assert not re.search(r'textSize="[^"]*(dp|px)"|textSize">[^<]*(dp|px)<', text)
    assert not re.search(
        r'(margin|padding|drawable|layout_alignParent)(Left|Right)|"left|"right', text
    )
    # Nothing is written in a layout that a translator does not see.
    assert not re.search(r'android:(text|hint|contentDescription)="[^@"]', text)


def test_only_the_framework_and_tensorflow_lite_are_used() -> None:
    allowed = ("android.", "java.", "org.json.", "org.tensorflow.lite.", "io.github.kdtf.books.")
    for path in (MAIN / "java").rglob("*.java"):
        text = path.read_text("utf-8")
        for name in re.findall(r"^import (?:static )?([\w.]+);", text, re.MULTILINE):
            assert name.startswith(allowed), f"{path.name}: {name}"
        assert "->" not in text, f"{path.name}: the dexer knows no lambdas"


def test_the_engine_stands_alone() -> None:
    for path in (MAIN / "java/io/github/kdtf/books/engine").glob("*.java"):
        text = path.read_text("utf-8")
        assert not re.search(r"kdtf\.books\.(?!engine\b)", text), path.name


def test_every_jar_is_pinned() -> None:
    lines = [
        line
        for line in (APP / "jars.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert len(lines) > 40
    for line in lines:
        assert re.fullmatch(
            r"[0-9a-f]{64}  (build|test|sandbox|dex2jar) +[\w.\-]+(:[\w.\-]+){3}", line
        )
    gradle = (APP / "app/build.gradle").read_text("utf-8")
    for coordinates in re.findall(r'implementation "([\w.:\-]+)"', gradle):
        assert any(coordinates in line for line in lines), coordinates

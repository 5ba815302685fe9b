"""`kd-tf add-ranker`, and `kd-tf recommend --rerank` in a base install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.extras import EXTRAS

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden" / "bundle-v1"
HISTORY = ("--history", "bk-00001", "--history", "bk-00004")


def run_command(*arguments: object, hidden: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs kd-tf, where `hidden` without the modules of all extras."""
    modules = sorted({name for _, names in EXTRAS.values() for name in names} - {"pydantic"})
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({modules if hidden else []!r}))\n"
        f"sys.argv = {['kd-tf', *map(str, arguments)]!r}\n"
        "from kd_tf.cli import main\n"
        "main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the golden bundle with a ranker beside it, ``bundle-ranker``."""
    out = tmp_path_factory.mktemp("shop") / "bundle"
    maker = TESTS / "shared_reranking" / "make_bundle.py"
    subprocess.run([sys.executable, maker, GOLDEN, out], check=True, capture_output=True)
    return out


def test_a_list_is_sorted_by_the_context_and_shows_both_scores(folder: Path) -> None:
    arguments = ("recommend", folder, *HISTORY, "--k", 4, "--rerank")
    lists = []
    for context in ("hour=3,language=en", "hour=21, language=de ,weekday=Friday"):
        ran = run_command(*arguments, "--context", context, "--json", "-", hidden=True)
        assert (ran.returncode, ran.stderr) == (0, "")
        rows = json.loads(ran.stdout)["recommendations"]
        predictions = [row["prediction"] for row in rows]
        assert predictions == sorted(predictions, reverse=True)
        assert all("score" in row for row in rows)
        lists.append([row["id"] for row in rows])
    assert lists[0] != lists[1]
    ran = run_command(*arguments, "--context", "hour=3", hidden=True)
    assert ran.stdout.count(", predicted ") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--context", "hour=3"), "--context has no effect without --rerank"),
        (("--rerank", "--context", "hour"), "'hour' is not COLUMN=VALUE"),
        (("--rerank", "--context", "hour=1,hour=2"), "'hour=2' names its column a second time"),
        (("--rerank", "--context", "moon=1"), "'moon', which the ranker does not have"),
        (("--rerank", "--diversity", "0.5"), "--diversity has no effect with --rerank"),
        (("--rerank", "--min-score", "0"), "--min-score has no effect with --rerank"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    arguments: tuple[str, ...], message: str, folder: Path
) -> None:
    ran = run_command("recommend", folder, *arguments)
    assert ran.returncode == 2
    assert message in ran.stderr


def test_a_ranker_is_added_with_sources_and_values(folder: Path, tmp_path: Path) -> None:
    shop = shutil.copytree(GOLDEN, tmp_path / "shop")
    items = tmp_path / "pages.csv"
    items.write_text("id,pages\nbk-00001,200\nbk-00002,300\n")
    ran = run_command(
        "add-ranker", shop, folder.parent / "bundle-ranker", "--items", items, "--item-id", "id",
        "--value", "position=1", "--source", "hour=missing",
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "items: 2 of 60 (3.3%) are known to the ranker",
        "of the item: book, pages",
        "of the history: history_pages",
        "of the device: shown, weekday, language",
        "always the same: position = 1",
        "missing on a device: hour, genre, user (of neither item, history nor device)",
        f"Bundle: {shop}",
    ]
    ran = run_command("add-ranker", folder.parent / "bundle-ranker", shop)
    assert ran.returncode == 2
    assert "It predicts clicks or ratings" in ran.stderr

"""The Python blocks of the documentation run as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kd_tf.runtime.bundle import Bundle, write_bundle

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GOLDEN = ROOT / "tests" / "golden" / "bundle-v1"

TITLES = ("The Hobbit", "Dune", "Dune Messiah", "Foundation", "Emma")
"""Titles that the pages use."""


def list_python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def run_block(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "example", "exec"), names)
    return names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with bundles of the books that the pages name."""
    golden = Bundle.open(GOLDEN)
    items = json.loads((GOLDEN / "catalog.json").read_text("utf-8"))["books"]
    for item, title in zip(items, TITLES, strict=False):
        item["title"] = title
    for path in ("bundle", "runs/mine/bundle"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_bundle(
            tmp_path / path,
            model=golden.model_path.read_bytes(),
            catalog=items,
            config=golden.config,
            model_card="",
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", ["how-to/deploy-on-a-raspberry-pi.md", "reference/bundle.md"], ids=Path
)
def test_blocks_that_open_a_bundle(
    page: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = list_python_blocks(page)
    assert blocks
    for code in blocks:
        run_block(code)
    assert capsys.readouterr().out


def test_the_block_that_measures_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = list_python_blocks("how-to/measure-a-model-file.md")
    run_block(code)
    assert capsys.readouterr().out.split()[1::2] == ["us", "MiB"]


def test_the_block_that_loads_a_split(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kd_tf.data.splits.unseen_users import split_unseen_users
    from kd_tf.data.synthetic.bookshop import generate_bookshop

    interactions = generate_bookshop(num_items=60, num_users=50).interactions
    split = split_unseen_users(interactions, test_users=10, validation_users=5)
    (folder / "runs" / "goodbooks").mkdir(parents=True)
    split.save(folder / "runs" / "goodbooks" / "split.npz")
    (code,) = list_python_blocks("how-to/resume-and-reproduce-a-run.md")
    run_block(code)
    assert capsys.readouterr().out == f"unseen-users 10 {split.fingerprint()}\n"


def test_the_block_that_reads_a_dataframe(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import kd_tf.pipeline.run

    (folder / "loans.csv").write_text(
        "reader,book,borrowed_at\nann,b17,2024-03-01T10:15:00\nbob,b42,2024-03-02T09:00:00\n"
    )
    (folder / "books.csv").write_text("book,title,author\nb17,Dune,Herbert\nb42,Emma,Austen\n")
    datasets = []

    def run(settings: Any, path: Path, *, dataset: Any) -> SimpleNamespace:
        """Training is tested elsewhere."""
        datasets.append(dataset)
        return SimpleNamespace(bundle=SimpleNamespace(folder=path / "bundle"))

    monkeypatch.setattr(kd_tf.pipeline.run, "run", run)
    (code,) = list_python_blocks("how-to/use-your-own-csv.md")
    run_block(code)
    (dataset,) = datasets
    assert dataset.catalog.item_ids == ["b17", "b42"]
    assert dataset.interactions.timestamp is not None
    assert capsys.readouterr().out.strip() == str(Path("runs/mine/bundle"))


def test_the_student_of_the_page_scores_the_catalog() -> None:
    (code,) = (
        block
        for block in list_python_blocks("how-to/add-a-student-loss-or-source.md")
        if "class MeanStudent" in block
    )
    student = run_block(code)["MeanStudent"](num_items=20, max_length=3, embedding_dim=4)
    scores = student(np.array([[3, 5, 0]], np.int32)).numpy()
    assert scores.shape == (1, 21)
    assert np.isfinite(scores).all()

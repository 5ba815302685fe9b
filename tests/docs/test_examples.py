"""The Python blocks of the documentation run as they stand."""

from __future__ import annotations

import ast
import csv
import json
import re
import shutil
from pathlib import Path
from textwrap import dedent
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


README = "../README.md"
TUTORIAL = "tutorials/quickstart-python.md"


def list_python_blocks(page: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [dedent(block) for block in blocks]


def run_block(code: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs a block; `names` are what earlier blocks of the page have defined."""
    names = {"__name__": "example"} if names is None else names
    exec(compile(code, "example", "exec"), names)
    return names


def write_tables(folder: Path) -> None:
    """loans.csv and books.csv of a small bookshop, with the titles that the pages use."""
    import kd_tf as kd

    shop = kd.data.bookshop(items=80, users=160, seed=3)
    frame, interactions = shop.catalog.frame, shop.interactions
    titles = [*TITLES, *frame["title"].to_list()[len(TITLES) :]]
    books = zip(shop.catalog.item_ids, titles, frame["authors"], strict=True)
    loans = zip(interactions.user, interactions.item, interactions.timestamp, strict=True)
    with (folder / "books.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("book", "title", "author"), *books])
    with (folder / "loans.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("reader", "book", "borrowed_at"))
        for user, item, time in loans:
            user_id, item_id = interactions.user_ids[user], shop.catalog.item_ids[item - 1]
            writer.writerow((user_id, item_id, time))


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
    "page",
    [
        "how-to/deploy-on-a-raspberry-pi.md",
        "how-to/use-a-reading-list.md",
        "reference/bundle.md",
    ],
    ids=Path,
)
def test_blocks_that_open_a_bundle(
    page: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authors = Bundle.open(GOLDEN).items[0].authors
    (folder / "goodreads_library_export.csv").write_text(
        f'Book Id,Title,Author,My Rating\n1,{TITLES[0]},"{authors}",5\n2,Nowhere,Nobody,5\n',
        "utf-8",
    )
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


def test_the_block_that_encodes_covers(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = list_python_blocks("how-to/use-covers.md")
    run_block(code)
    assert capsys.readouterr().out == "title (tfidf); cover (statistics)\n"


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
    read_csv, read_frame = list_python_blocks("how-to/your-own-files.md")
    run_block(read_csv)
    assert capsys.readouterr().out.startswith("2 of 2 items with interactions are in the item")
    run_block(read_frame)
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


@pytest.mark.slow
def test_the_loss_of_the_page_is_the_gap_to_the_teachers_items() -> None:
    from kd_tf.distill.losses import DistillationBatch

    (code,) = (
        block
        for block in list_python_blocks("how-to/add-a-student-loss-or-source.md")
        if "class Agreement" in block
    )
    batch = DistillationBatch.from_logits([[0.0, 5.0, 1.0, 2.0]], {"teacher_ids": [[2, 3, 0]]})
    assert run_block(code)["Agreement"]().compute_loss(batch).numpy().tolist() == [3.5]


@pytest.mark.slow
def test_the_readme_and_the_tutorial_lead_from_a_csv_to_titles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both pages in one test, which starts TensorFlow once."""
    write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    for page in (README, TUTORIAL):
        names: dict[str, Any] = {"__name__": "example"}
        for code in list_python_blocks(page):
            run_block(code, names)
        kd, split, student = names["kd"], names["split"], names["student"]
        assert "val_ndcg@10" in capsys.readouterr().out
        assert set(names["distiller"].history.history) >= {"distillation_loss", "val_ndcg@10"}
        assert kd.evaluate(names["teacher"], split.test)["ndcg@10"] > 0.2
        reached = kd.evaluate(student, split.test)["ndcg@10"]
        exported = kd.evaluate("bundle/", split.test)["ndcg@10"]
        if page == README:
            assert reached == pytest.approx(exported, abs=0.02)
        else:  # the tutorial goes on to train its weak student
            assert reached > exported
        recommendations = kd.Recommender.load("bundle/").recommend(["The Hobbit", "Dune"], k=5)
        titles = {recommendation.item.title for recommendation in recommendations}
        assert len(titles) == 5
        assert not titles & {"The Hobbit", "Dune"}
        (tmp_path / "bundle").rename(tmp_path / f"bundle-{len(page)}")


@pytest.mark.slow
def test_the_tutorial_on_clicks_leads_from_a_log_to_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import kd_tf as kd

    monkeypatch.chdir(tmp_path)
    write, predict, show_columns, rerank, export = list_python_blocks("tutorials/clicks.md")
    run_block(write)
    # The page's command, with a model that is trained in a few seconds.
    settings = kd.RankingConfig(
        data={"interactions": "clicks.csv", "label": "clicked"},
        teacher={"architecture": "deep", "hidden": [8], "training": {"epochs": 1}},
        student={"architecture": "logistic-regression", "training": {"epochs": 1}},
        export={"quantizations": ["float32"]},
    )
    result = kd.run_ranking(settings, "runs/clicks")
    assert (result.folder / "report.html").is_file()
    capsys.readouterr()
    names = run_block(predict)
    probability, order = capsys.readouterr().out.splitlines()
    assert 0 < float(probability) < 1
    assert sorted(ast.literal_eval(order)) == sorted(names["shortlist"])
    assert names["ranker"].predict(names["row"]) == pytest.approx(names["probabilities"][0])
    run_block(show_columns, names)
    printed = capsys.readouterr().out
    page = (DOCS / "tutorials/clicks.md").read_text("utf-8")
    shown = [line for line in printed.splitlines() if line in page]
    assert len(shown) == 2, printed
    shutil.copytree(GOLDEN, "runs/shop/bundle")
    kd.add_ranker("runs/shop", "runs/clicks", values={"position": 1, "device": "phone"})
    names = run_block(rerank, names)
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert names["recommender"].ranker is not None
    run_block(export, names)
    assert 0.5 < float(capsys.readouterr().out.splitlines()[-1]) < 1
    assert kd.Ranker.load("bundle").predict(names["row"]) > 0


def test_the_tutorial_explains_every_statement_of_the_readme() -> None:
    def list_statements(page: str) -> list[str]:
        blocks = list_python_blocks(page)
        return [ast.unparse(node) for block in blocks for node in ast.parse(block).body]

    (readme,) = list_python_blocks(README)
    assert len(readme.splitlines()) - readme.count("\n\n") <= 15
    missing = set(list_statements(README)) - set(list_statements(TUTORIAL))
    assert not missing

"""A catalog and no interactions: a bundle by texts alone, which says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import kd_tf as kd
from kd_tf import config
from kd_tf.cli.app import app
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.histories import from_lists
from kd_tf.errors import UserError
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.content.zero_shot import build_zero_shot_student
from kd_tf.models.teachers.content_tower import ContentTowerTeacher
from kd_tf.pipeline.zero_shot import NOTE, run_zero_shot
from kd_tf.progress import NullProgress
from kd_tf.runtime.recommender import Recommender
from kd_tf.training import checkpoint

BOOKS = """id,title,author,description
1,Dune,Frank Herbert,A desert planet and its spice
2,Dune Messiah,Frank Herbert,The emperor of the desert planet
3,Emma,Jane Austen,A matchmaker in a village
4,Persuasion,Jane Austen,Love is lost and found again
5,Soups,Ann Cook,Recipes of soups
6,Stews,Ann Cook,Recipes of stews and soups
7,Untold,,
"""


def write_books(folder: Path, text: str = BOOKS) -> Path:
    path = folder / "books.csv"
    path.write_text(text, encoding="utf-8")
    return path


def make_settings(path: Path, **sections) -> config.Config:
    return config.from_values({"data": {"dataset": "csv", "items": str(path)}, **sections})


def test_a_catalog_alone_gives_a_bundle_that_says_so(tmp_path: Path) -> None:
    bundle = run_zero_shot(make_settings(write_books(tmp_path)), tmp_path / "run")
    assert bundle.config.metrics == {}
    assert bundle.config.dataset["protocol"] == "zero-shot"
    assert NOTE in (bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    recommender = Recommender.load(bundle.folder)
    for title, expected in (("Dune", "Dune Messiah"), ("Emma", "Persuasion"), ("Soups", "Stews")):
        assert recommender.recommend([title], k=1)[0].item.title == expected
    # Nobody has read any of them: a mark on all would say nothing.
    assert not any(item.new for item in bundle.items)
    (reason,) = recommender.explain(["Dune"], "Dune Messiah")
    assert reason.shared_authors == ("Frank Herbert",)
    assert set(reason.shared_words) == {"desert", "dune", "planet"}


def test_covers_alone_give_a_bundle_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_TF_CACHE", str(tmp_path / "cache"))
    colours = {"Dune": "orange", "Emma": "lightblue", "Dune Messiah": "darkorange", "Tea": "blue"}
    lines = ["id,title,cover"]
    for number, (title, colour) in enumerate(colours.items()):
        Image.new("RGB", (20, 30), colour).save(tmp_path / f"{number}.png")
        lines.append(f"{number},{title},{number}.png")
    books = write_books(tmp_path, "\n".join(lines))
    settings = make_settings(books, content={"image": ["cover"]})
    bundle = run_zero_shot(settings, tmp_path / "run")
    assert "Content: cover (statistics)." in (bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    recommender = Recommender.load(bundle.folder)
    assert recommender.recommend(["Dune"], k=1)[0].item.title == "Dune Messiah"


@pytest.mark.slow
def test_the_command_takes_items_or_books_alone(tmp_path: Path) -> None:
    books, out = write_books(tmp_path), tmp_path / "run"
    result = CliRunner().invoke(app, ["run", "--books", str(books), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "Made of content alone" in result.output
    assert (out / "bundle" / "model.tflite").is_file()
    # The same command again, and another one in the same folder.
    assert CliRunner().invoke(app, ["run", "--items", str(books), "--out", str(out)]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "sections", "match"),
    [
        ("id,title\n1,\n2,\n", {}, "no item has any text"),
        ("id,title\n1,Red\n2,Blue\n", {}, "no two items of the catalog have a word in common"),
        ("title\nDune\n", {}, "item table has no column"),
        (BOOKS, {"content": {"text": ["blurb"]}}, "no text column 'blurb'"),
        (BOOKS, {"student": {"max_bytes": 20}}, "no student for 7 items fits into 20 bytes"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    tmp_path: Path, text: str, sections: dict, match: str
) -> None:
    settings = make_settings(write_books(tmp_path, text), **sections)
    with pytest.raises(UserError, match=match):
        run_zero_shot(settings, tmp_path / "run")
    assert not (tmp_path / "run" / "bundle").exists()


def test_other_commands_need_interactions(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["baselines", "--items", str(write_books(tmp_path))])
    assert isinstance(result.exception, UserError)
    assert "there are no interactions" in str(result.exception)


def test_the_student_keeps_the_most_alike_items() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
    from scipy import sparse

    content = ContentFeatures((FeatureBlock("x", sparse.csr_array(vectors)),))
    student = build_zero_shot_student(
        content, max_length=3, max_bytes=5000, progress=NullProgress()
    )
    scores = make_score_fn(student)(from_lists([[1], [1, 4]]))[:, 1:]
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(scores[0, 1:], cosines[0, 1:], atol=2e-3)
    np.testing.assert_allclose(scores[1, 1:3], (cosines[0] + cosines[3])[1:3], atol=4e-3)


def save_tower(folder: Path, encoder: str) -> None:
    """Saves a content tower that learnt on the synthetic shop as the teacher of a run."""
    data = kd.data.encode_items(kd.data.bookshop(items=60, users=60, seed=1), ["title"], encoder)
    split = kd.split(data, "unseen-users", seed=1)
    tower = ContentTowerTeacher(split.num_items, max_length=10, embedding_dim=8)
    tower.fit(split.train)
    checkpoint.save(tower, folder / "teacher/model")


def test_what_another_catalog_taught_is_one_more_block(tmp_path: Path) -> None:
    save_tower(tmp_path / "shop", "static")
    content = {"text": ["title"], "encoder": "static", "transfer_from": str(tmp_path / "shop")}
    settings = make_settings(write_books(tmp_path), content=content)
    bundle = run_zero_shot(settings, tmp_path / "run")
    assert "learnt in shop" in (bundle.folder / "MODEL_CARD.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("encoder", "match"), [("tfidf", "share no pretrained encoder"), (None, "content-tower")]
)
def test_a_run_that_taught_nothing_that_holds_here_is_refused(
    tmp_path: Path, encoder: str | None, match: str
) -> None:
    if encoder is not None:
        save_tower(tmp_path / "shop", encoder)
    content = {"text": ["title"], "encoder": "static", "transfer_from": str(tmp_path / "shop")}
    with pytest.raises(UserError, match=match):
        run_zero_shot(make_settings(write_books(tmp_path), content=content), tmp_path / "run")
    assert not (tmp_path / "run").exists()

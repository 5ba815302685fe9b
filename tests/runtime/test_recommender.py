from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import write_bundle
from kd_tf.runtime.model import pad_history
from kd_tf.runtime.recommender import Recommender

V, L, K = 200, 10, 20


@pytest.fixture
def recommender(bundle):
    return Recommender.load(bundle)


def test_a_history_of_ids_and_titles_gives_the_books_of_the_model(recommender):
    # Item b200 is model id 1; "Title number 2" is model id 2.
    ids, scores = recommender.model.recommend(pad_history([1, 2], L))
    found = recommender.recommend(["b200", "title NUMBER 2"])
    assert [one.book.id for one in found] == ids.tolist()
    assert [one.score for one in found] == scores.tolist()
    assert found[0].book.title == f"Title number {ids[0]}"
    assert found[0].book.item_id == f"b{V + 1 - ids[0]}"


def test_k_shortens_the_list(recommender):
    assert recommender.recommend(["b7"], k=3) == recommender.recommend(["b7"])[:3]
    assert recommender.similar("b7", k=3) == recommender.similar("b7")[:3]
    assert len(recommender.recommend(["b7"])) == K


@pytest.mark.parametrize("k", [0, -1, K + 1])
def test_a_k_that_the_model_cannot_give_is_refused(recommender, k):
    with pytest.raises(UserError, match="gives 1 to 20 books"):
        recommender.recommend(["b7"], k=k)
    with pytest.raises(UserError, match="gives 1 to 20 books"):
        recommender.similar("b7", k=k)


def test_an_empty_history_is_answered(recommender):
    assert len(recommender.recommend([], k=5)) == 5


def test_a_long_history_counts_by_its_newest_books(recommender):
    newest = [f"b{number}" for number in range(50, 50 + L)]
    short = recommender.recommend(newest)
    kept = {one.book.item_id for one in short}
    older = [f"b{number}" for number in range(1, 50) if f"b{number}" not in kept]
    assert recommender.recommend([*older, *newest]) == short


def test_a_book_that_was_read_is_never_recommended_however_long_ago(recommender):
    newest = [f"b{number}" for number in range(50, 50 + L)]
    first = recommender.recommend(newest)[0].book.item_id
    again = recommender.recommend([first, *newest])
    assert first not in {one.book.item_id for one in again}
    assert len(again) == K - 1
    assert len(recommender.recommend([first, *newest], k=10)) == 10


def test_similar_books_never_hold_the_book_itself(recommender):
    ids, _ = recommender.model.similar(5)
    found = recommender.similar("Title number 5")
    assert [one.book.id for one in found] == ids.tolist()
    assert 5 not in ids


def test_filler_ids_are_left_out(recommender, monkeypatch):
    filler = np.array([3, 0, 1, -4, 201, 9], np.int32), np.arange(6, 0, -1).astype(np.float32)
    monkeypatch.setattr(recommender.model, "recommend", lambda history: filler)
    found = recommender.recommend(["b200"])  # model id 1
    assert [(one.book.id, one.score) for one in found] == [(3, 6.0), (9, 1.0)]


def test_an_unknown_book_is_refused(recommender):
    with pytest.raises(UserError, match="no book is called 'Ulysses'"):
        recommender.recommend(["b1", "Ulysses"])


def test_a_single_text_is_not_taken_for_a_list_of_letters(recommender):
    with pytest.raises(TypeError, match="list of books"):
        recommender.recommend("b1")


def test_a_bundle_whose_model_is_another_one_is_refused(tmp_path, recommend_only, catalog, config):
    write_bundle(
        tmp_path / "b", model=recommend_only, catalog=catalog, config=config, model_card=""
    )
    with pytest.raises(UserError, match="its model has"):
        Recommender.load(tmp_path / "b")


def test_the_runtime_stands_alone(bundle):
    program = """
import sys
import kd_tf.runtime.benchmark, kd_tf.runtime.memory_probe
from kd_tf.runtime.recommender import Recommender
assert Recommender.load(sys.argv[1]).recommend(["b1"], k=1)
loaded = {name.split(".")[0] for name in sys.modules}
rooms = {name for name in sys.modules if name.startswith("kd_tf.")}
print(*sorted(loaded & {"tensorflow", "keras", "tf_keras", "pandas", "polars", "scipy", "typer"}))
allowed = ("kd_tf.runtime", "kd_tf.errors", "kd_tf.atomic", "kd_tf.progress")
print(*sorted(name for name in rooms if not name.startswith(allowed)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []

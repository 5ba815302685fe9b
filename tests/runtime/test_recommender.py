from __future__ import annotations

import math
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import write_bundle
from kd_tf.runtime.model import pad_history
from kd_tf.runtime.recommender import Recommender
from kd_tf.runtime.titles import NearTitleWarning

V, L, K = 200, 10, 20


@pytest.fixture
def recommender(bundle):
    return Recommender.load(bundle)


def test_a_history_of_ids_and_titles_gives_the_items_of_the_model(recommender):
    # Item b200 is model id 1; "Title number 2" is model id 2.
    ids, scores = recommender.model.recommend(pad_history([1, 2], L))
    found = recommender.recommend(["b200", "title NUMBER 2"])
    assert [one.item.id for one in found] == ids.tolist()
    assert [one.score for one in found] == scores.tolist()
    assert found[0].item.title == f"Title number {ids[0]}"
    assert found[0].item.item_id == f"b{V + 1 - ids[0]}"


def test_k_shortens_the_list(recommender):
    assert recommender.recommend(["b7"], k=3) == recommender.recommend(["b7"])[:3]
    assert recommender.similar("b7", k=3) == recommender.similar("b7")[:3]
    assert len(recommender.recommend(["b7"])) == K


@pytest.mark.parametrize("k", [0, -1, K + 1])
def test_a_k_that_the_model_cannot_give_is_refused(recommender, k):
    with pytest.raises(UserError, match="k must be from 1 to 20"):
        recommender.recommend(["b7"], k=k)
    with pytest.raises(UserError, match="k must be from 1 to 20"):
        recommender.similar("b7", k=k)


def test_an_empty_history_is_answered(recommender):
    assert len(recommender.recommend([], k=5)) == 5


def test_a_long_history_counts_by_its_newest_items(recommender):
    newest = [f"b{number}" for number in range(50, 50 + L)]
    short = recommender.recommend(newest)
    kept = {one.item.item_id for one in short}
    older = [f"b{number}" for number in range(1, 50) if f"b{number}" not in kept]
    assert recommender.recommend([*older, *newest]) == short


def test_an_item_that_was_read_is_never_recommended_however_long_ago(recommender):
    newest = [f"b{number}" for number in range(50, 50 + L)]
    first = recommender.recommend(newest)[0].item.item_id
    again = recommender.recommend([first, *newest])
    assert first not in {one.item.item_id for one in again}
    assert len(again) == K - 1
    assert len(recommender.recommend([first, *newest], k=10)) == 10


def test_similar_items_never_hold_the_item_itself(recommender):
    ids, _ = recommender.model.similar(5)
    found = recommender.similar("Title number 5")
    assert [one.item.id for one in found] == ids.tolist()
    assert 5 not in ids


def test_filler_ids_are_left_out(recommender, monkeypatch):
    filler = np.array([3, 0, 1, -4, 201, 9], np.int32), np.arange(6, 0, -1).astype(np.float32)
    monkeypatch.setattr(recommender.model, "recommend", lambda history: filler)
    found = recommender.recommend(["b200"])  # model id 1
    assert [(one.item.id, one.score) for one in found] == [(3, 6.0), (9, 1.0)]


def test_an_unknown_item_is_refused(recommender):
    with pytest.raises(UserError, match="no book is called 'Ulysses'"):
        recommender.recommend(["b1", "Ulysses"])


@pytest.mark.parametrize(
    "call",
    [
        lambda recommender, name: recommender.recommend([name]),
        lambda recommender, name: recommender.recommend(["b1"], exclude=[name]),
        lambda recommender, name: recommender.recommend(["b1"], only=[name]),
        lambda recommender, name: recommender.score(["b1"], [name]),
        lambda recommender, name: recommender.explain([name], "b1"),
        lambda recommender, name: recommender.explain(["b1"], name),
        lambda recommender, name: recommender.similar(name),
    ],
)
def test_a_near_title_is_a_warning_where_it_was_named(recommender, call):
    with pytest.warns(NearTitleWarning, match="'Titel number 7' is taken for b194") as records:
        near = call(recommender, "Titel number 7")
    assert [record.filename for record in records] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(recommender, "title number 7") == near


def test_a_single_text_is_not_taken_for_a_list_of_letters(recommender):
    with pytest.raises(TypeError, match="must be a list"):
        recommender.recommend("b1")


def test_excluded_items_are_left_out(recommender):
    all_of_them = recommender.recommend(["b7"])
    first, second = (one.item for one in all_of_them[:2])
    assert recommender.recommend(["b7"], exclude=[first.item_id, second.title]) == all_of_them[2:]


def test_only_the_items_that_are_allowed_are_ranked_by_their_scores(recommender):
    allowed = [f"b{number}" for number in range(1, 60)]
    found = recommender.recommend(["b7", "b190"], k=5, only=[*allowed, "b3"])
    table = recommender.score(["b7", "b190"], [name for name in allowed if name != "b7"])
    assert found == sorted(table, key=lambda one: (-one.score, one.item.id))[:5]


def test_items_that_score_too_little_are_left_out(recommender):
    found = recommender.recommend(["b7"])
    least = found[4].score
    assert recommender.recommend(["b7"], min_score=least) == found[:5]
    assert recommender.recommend(["b7"], min_score=1e9) == []
    with pytest.raises(UserError, match="min_score is nan"):
        recommender.recommend(["b7"], min_score=math.nan)
    assert recommender.recommend(["b7"], min_score=1e9, diversity=0.5) == []


def test_scores_are_those_of_the_recommendations_in_the_order_asked(recommender):
    found = recommender.recommend(["b7", "b9"])
    asked = [one.item.item_id for one in found[::-1]]
    scores = recommender.score(["b7", "b9"], asked)
    assert [one.item for one in scores] == [one.item for one in found[::-1]]
    for one, other in zip(scores, found[::-1], strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
    assert recommender.score(["b7"], []) == []


def test_contributions_add_up_to_the_score_of_a_sum(recommender, module):
    history = ["b7", "b9", "b30"]
    best = recommender.recommend(history)[0]
    added = recommender.model.explain(
        pad_history([V + 1 - number for number in (7, 9, 30)], L), best.item.id
    )
    assert added.sum() == pytest.approx(best.score, abs=1e-5)
    reasons = recommender.explain(history, best.item.item_id)
    assert [one.contribution for one in reasons] == sorted(added[added > 0].tolist(), reverse=True)
    assert {one.item.item_id for one in reasons} <= set(history)
    assert recommender.explain(history, best.item.item_id, k=1) == reasons[:1]


def test_diversity_of_1_and_of_0_are_what_they_say(recommender):
    found = recommender.recommend(["b7"])
    assert recommender.recommend(["b7"], diversity=0.0) == found
    spread = recommender.recommend(["b7"], k=5, diversity=1.0)
    assert spread[0] == found[0]
    assert {one.item.id for one in spread} <= {one.item.id for one in found}

    def likeness(items):
        rows = [
            recommender.score([one.item.item_id], [two.item.item_id for two in items])
            for one in items
        ]
        return np.mean(
            [
                two.score
                for row, one in zip(rows, items, strict=True)
                for two in row
                if two.item != one.item
            ]
        )

    assert likeness(spread) < likeness(found[:5])


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_a_diversity_outside_0_to_1_is_refused(recommender, diversity):
    with pytest.raises(UserError, match="from 0 to 1"):
        recommender.recommend(["b7"], diversity=diversity)


@pytest.mark.parametrize("name", ["exclude", "only"])
def test_a_text_for_a_list_of_items_is_refused(recommender, name):
    with pytest.raises(TypeError, match=f"{name} must be a list"):
        recommender.recommend(["b7"], **{name: "b1"})


def test_threads_that_share_a_recommender_get_their_own_answers(recommender):
    names = [f"b{number}" for number in range(1, 41)]
    right = {
        name: (recommender.recommend([name]), recommender.explain([name], "b99")) for name in names
    }
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(
            lambda name: (recommender.recommend([name]), recommender.explain([name], "b99")),
            names * 5,
        )
        assert list(found) == [right[name] for name in names * 5]


def test_a_bundle_whose_model_is_another_one_is_refused(tmp_path, recommend_only, catalog, config):
    write_bundle(
        tmp_path / "b", model=recommend_only, catalog=catalog, config=config, model_card=""
    )
    with pytest.raises(UserError, match="but the model has"):
        Recommender.load(tmp_path / "b")


def test_the_runtime_stands_alone(bundle):
    program = """
import sys
import kd_tf.runtime.measure.latency, kd_tf.runtime.measure.memory
from kd_tf.runtime.recommender import Recommender
assert Recommender.load(sys.argv[1]).recommend(["b1"], k=1)
loaded = {name.split(".")[0] for name in sys.modules}
rooms = {name for name in sys.modules if name.startswith("kd_tf.")}
print(*sorted(loaded & {"tensorflow", "keras", "tf_keras", "pandas", "polars", "scipy", "typer"}))
allowed = ("kd_tf.runtime", "kd_tf.errors", "kd_tf.atomic", "kd_tf.file_locks", "kd_tf.progress")
# What kd_tf/__init__.py itself imports, both of the standard library alone.
rooms -= {"kd_tf.lazy", "kd_tf.extras"}
print(*sorted(name for name in rooms if not name.startswith(allowed)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []

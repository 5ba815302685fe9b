"""Bundles of past contract versions still open and answer as on the day they were made.

As a program it writes the answers of a bundle; see README.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import CONTRACT_VERSION, Bundle
from kd_tf.runtime.recommender import Recommendation, Recommender

FOLDER = Path(__file__).parent
GOLDEN = sorted(path.name for path in FOLDER.glob("bundle-v*") if path.is_dir())
READABLE = [name for name in GOLDEN if name == f"bundle-v{CONTRACT_VERSION}"]
MAX_BYTES = 60_000

SCORE_TOLERANCE = 2e-3
"""Kernels for another processor may round the int8 products in another way."""


def compute_answers(recommender: Recommender) -> dict[str, Any]:
    """What the bundle answers to fixed questions, with item ids, not with model ids."""
    items = recommender.bundle.items
    ids = [item.item_id for item in items]
    history = [ids[number] for number in (0, 7, 3, 20, 41)]
    titles = [items[number].title or "" for number in (5, 9)]
    best = recommender.recommend(history, 1)[0].item.item_id
    return {
        "catalog": [
            [item.id, item.item_id, item.title, item.authors, item.genre, item.year]
            for item in items[::10]
        ],
        "recommend": list_items(recommender.recommend(history)),
        "recommend_by_title": list_items(recommender.recommend(titles, 5)),
        "recommend_to_a_new_user": list_items(recommender.recommend([], 5)),
        "recommend_without_the_best": list_items(
            recommender.recommend(history, 5, exclude=[best], min_score=0.1)
        ),
        "similar": list_items(recommender.similar(ids[10], 10)),
        "score": list_items(recommender.score(history, ids[:20])),
        "explain": [
            [reason.item.item_id, float(reason.contribution)]
            for reason in recommender.explain(history, ids[12], 5)
        ],
    }


def list_items(recommendations: list[Recommendation]) -> list[list[Any]]:
    return [[answer.item.item_id, float(answer.score)] for answer in recommendations]


def read_answers(name: str) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((FOLDER / f"{name}.answers.json").read_text("utf-8"))
    return answers


def check_list(answered: list[list[Any]], expected: list[list[Any]]) -> None:
    scores, expected_scores = dict(answered), dict(expected)
    assert scores.keys() == expected_scores.keys()
    for item, score in expected_scores.items():
        assert scores[item] == pytest.approx(score, abs=SCORE_TOLERANCE)


def test_the_contract_version_of_today_has_a_golden_bundle() -> None:
    assert f"bundle-v{CONTRACT_VERSION}" in GOLDEN


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_bundle_is_small(name: str) -> None:
    assert sum(path.stat().st_size for path in (FOLDER / name).iterdir()) < MAX_BYTES


@pytest.mark.parametrize("name", READABLE)
def test_a_golden_bundle_answers_as_on_its_first_day(name: str) -> None:
    answered = compute_answers(Recommender.load(FOLDER / name))
    expected = read_answers(name)
    assert answered.keys() == expected.keys()
    assert answered.pop("catalog") == expected.pop("catalog")
    for question, answer in answered.items():
        assert answer, question
        check_list(answer, expected[question])
        if question != "score":
            scores = [score for _, score in answer]
            assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", GOLDEN)
def test_another_contract_version_is_refused_not_misread(name: str) -> None:
    if name in READABLE:
        assert Bundle.open(FOLDER / name).config.contract_version == CONTRACT_VERSION
    else:
        with pytest.raises(UserError, match="contract version"):
            Bundle.open(FOLDER / name)


def main(name: str) -> None:
    answers = compute_answers(Recommender.load(FOLDER / name))
    text = json.dumps(answers, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{name}.answers.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

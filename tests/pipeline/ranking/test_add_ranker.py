"""A bundle with a ranker re-ranks its shortlist, and what does not fit is refused in words."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kd_tf.data.ranking.read_ranking import read_ranking_split
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.data.synthetic.clicks import generate_clicks
from kd_tf.errors import UserError
from kd_tf.pipeline.ranking.add_ranker import AddedRanker, add_ranker, read_item_table
from kd_tf.pipeline.ranking.choose_sources import choose_sources
from kd_tf.runtime.bundle import Bundle, write_bundle
from kd_tf.runtime.bundle_files import encode_with_own_hash
from kd_tf.runtime.item_values import ItemValues
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.recommender import Recommender

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden" / "bundle-v1"
CONTEXT = {"hour": 21, "weekday": "Friday", "language": "de", "shown": 1_712_084_709}


def load_maker() -> ModuleType:
    path = TESTS / "shared_reranking" / "make_bundle.py"
    spec = importlib.util.spec_from_file_location("make_bundle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load_maker()


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> AddedRanker:
    made: AddedRanker = MAKER.make_reranking_bundle(GOLDEN, tmp_path_factory.mktemp("run") / "b")
    return made


@pytest.fixture(scope="module")
def recommender(added: AddedRanker) -> Recommender:
    return Recommender.load(added.bundle.folder)


@pytest.fixture(scope="module")
def ranker_folder(added: AddedRanker) -> Path:
    return added.bundle.folder.parent / "b-ranker"


@pytest.fixture
def folder(added: AddedRanker, tmp_path: Path) -> Path:
    """A copy of the joined bundle to damage."""
    return Path(shutil.copytree(added.bundle.folder, tmp_path / "bundle"))


def list_ids(recommendations: list[Any]) -> list[str]:
    return [recommendation.item.item_id for recommendation in recommendations]


def test_sources_are_chosen_by_name_and_what_has_none_is_named(added: AddedRanker) -> None:
    sources = {column.name: column.source for column in added.sources.columns}
    assert sources == {
        "shown": "time", "hour": "hour", "weekday": "weekday", "language": "language",
        "book": "item-id", "genre": "item", "pages": "item", "history_pages": "history",
        "position": "fixed", "user": "missing",
    }  # fmt: skip
    assert added.describe() == [
        "items: 60 of 60 (100.0%) are known to the ranker; others of the ranker, not in the "
        "bundle: 1",
        "of the item: book, genre, pages",
        "of the history: history_pages",
        "of the device: shown, hour, weekday, language",
        "always the same: position = 1",
        "missing on a device: user (of neither item, history nor device)",
    ]


histories = st.lists(st.integers(1, 60), max_size=70)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.data())
def test_reranking_permutes_the_shortlist_by_the_rankers_own_predictions(
    recommender: Recommender, history: list[int], data: st.DataObject
) -> None:
    items = recommender.bundle.items
    names = [items[number - 1].item_id for number in history]
    size = data.draw(st.integers(1, recommender.model.k))
    context = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "hour": st.integers(0, 23), "weekday": st.sampled_from(MAKER.WEEKDAYS),
                "language": st.sampled_from(["en", "de", "zh", "fi"]), "user": st.just("ann"),
            },
        )
    )  # fmt: skip
    shortlist = recommender.recommend(names, size)
    reranked = recommender.rerank(names, context=context, num_candidates=size)
    assert sorted(list_ids(reranked)) == sorted(list_ids(shortlist))
    scores = {one.item.item_id: one.score for one in shortlist}
    assert all(one.score == scores[one.item.item_id] for one in reranked)
    predictions = [one.prediction for one in reranked]
    assert predictions == sorted(predictions, reverse=True)
    # An independent way: one row at a time, made by hand.
    assert recommender.ranker is not None
    ranker, values = recommender.ranker, recommender.bundle.ranker.items  # type: ignore[union-attr]
    assert values is not None
    pages = [values.get("pages", name) for name in reversed(names)]
    newest = [number for number in pages if isinstance(number, int)][:5]
    for one in reranked:
        item_id = one.item.item_id
        row = {
            "shown": None, "hour": None, "weekday": None, "language": None, "user": None,
            "position": 1, "book": item_id, "genre": values.get("genre", item_id),
            "pages": values.get("pages", item_id),
            "history_pages": np.mean(newest) if newest else None, **context,
        }  # fmt: skip
        assert one.prediction == pytest.approx(ranker.predict(row), abs=1e-5)


def test_the_order_depends_on_context_and_history_and_predictions_differ(
    recommender: Recommender,
) -> None:
    history = ["bk-00001", "bk-00002"]
    orders = [
        list_ids(recommender.rerank(history, context=context))
        for context in ({}, CONTEXT, {**CONTEXT, "hour": 3}, {**CONTEXT, "language": "en"})
    ]
    assert len(set(map(tuple, orders))) == 4
    assert orders[0] != list_ids(recommender.recommend(history, 20))


def test_items_with_equal_predictions_stay_in_the_order_of_the_shortlist(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict_all(rows: dict[str, list[Any]]) -> np.ndarray:
        return np.arange(len(rows["book"])) // 4 % 2 * 0.5

    monkeypatch.setattr(recommender.ranker, "predict_all", predict_all)
    shortlist = list_ids(recommender.recommend(["bk-00001"], 10))
    expected = shortlist[4:8] + shortlist[:4] + shortlist[8:]
    assert list_ids(recommender.rerank(["bk-00001"], num_candidates=10)) == expected


def test_the_file_is_called_once_for_each_batch(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recommender.ranker is not None
    calls: list[str] = []
    original = recommender.ranker.model._call

    def call(signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        calls.append(signature)
        return original(signature, **inputs)

    monkeypatch.setattr(recommender.ranker.model, "_call", call)
    recommender.rerank(["bk-00001"], num_candidates=17)
    assert calls == ["predict_batch"] * 3  # 17 rows, 8 at once


def test_a_shortlist_of_any_length_is_ranked_without_read_and_excluded_items(
    recommender: Recommender,
) -> None:
    item_ids = recommender.bundle.items.list_item_ids()
    reranked = recommender.rerank(["bk-00001"], shortlist=item_ids, exclude=["bk-00002"])
    assert sorted(list_ids(reranked)) == sorted(item_ids[2:])
    best = recommender.rerank(["bk-00001"], 3, shortlist=item_ids, exclude=["bk-00002"])
    assert best == reranked[:3]
    assert recommender.rerank(["bk-00001"], shortlist=["bk-00001"]) == []
    assert len(recommender.rerank(["bk-00001"])) == 20
    reasons = recommender.explain(["bk-00001"], best[0].item.item_id)
    assert [reason.item.item_id for reason in reasons] in ([], ["bk-00001"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context": {"moon": 1}}, "'moon', which the ranker does not have"),
        ({"context": {"hour": "late"}}, "column 'hour' must be a number, not 'late'"),
        ({"k": 0}, "k must be at least 1, not 0"),
        ({"num_candidates": 0}, "k must be from 1 to 20"),
        ({"num_candidates": 5, "shortlist": ["bk-00003"]}, "no effect on a shortlist"),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    arguments: dict[str, Any], message: str, recommender: Recommender
) -> None:
    with pytest.raises(UserError, match=message):
        recommender.rerank(["bk-00001"], **arguments)


def test_a_bundle_without_a_ranker_says_how_to_add_one(added: AddedRanker) -> None:
    with pytest.raises(UserError, match="kd-tf add-ranker"):
        Recommender.load(GOLDEN).rerank(["bk-00001"])
    isolated = Recommender.load(added.bundle.folder, isolated=True)
    assert list_ids(isolated.recommend(["bk-00001"], 3))
    with pytest.raises(UserError, match="process of its own"):
        isolated.rerank(["bk-00001"])


def test_a_device_context_fits_the_ranker(recommender: Recommender, added: AddedRanker) -> None:
    context = added.sources.make_context(datetime(2024, 4, 2, 21, tzinfo=UTC), "de-AT")
    assert context == {"shown": 1712091600, "hour": 21, "weekday": "Tuesday", "language": "de"}
    assert recommender.rerank(["bk-00001"], context=context)


@pytest.mark.parametrize("name", ["model.tflite", "features.json", "items.json", "sources.json",
                                  "config.json", "MODEL_CARD.md"])  # fmt: skip
def test_a_changed_byte_of_the_ranker_is_refused(name: str, folder: Path) -> None:
    path = folder / "ranker" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"ranker/{name}"):
        Bundle.open(folder)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        Bundle.open(folder)


def test_the_ranker_of_another_bundle_is_refused(
    folder: Path, ranker_folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder / "ranker")
    with pytest.raises(UserError, match="no such folder"):
        Bundle.open(folder)
    # Whole in itself, but not the one that was added.
    shutil.copytree(ranker_folder, folder / "ranker")
    with pytest.raises(UserError, match="this is not the ranker of the bundle"):
        Bundle.open(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("config_sha256")
    own_hash = hashlib.sha256((folder / "ranker" / "config.json").read_bytes()).hexdigest()
    (folder / "config.json").write_bytes(encode_with_own_hash(config | {"ranker_sha256": own_hash}))
    with pytest.raises(UserError, match=r"no sources\.json"):
        Bundle.open(folder)


def test_a_ranker_is_replaced_and_the_bundle_stays_what_it_was(
    folder: Path, ranker_folder: Path
) -> None:
    before = Bundle.open(folder)
    ranker_files = {path.name: path.read_bytes() for path in ranker_folder.iterdir()}
    added = add_ranker(folder, ranker_folder, sources={"weekday": "missing"}, values={"hour": 7})
    assert added.sources.list_columns("missing") == ["weekday", "position", "user"]
    assert added.sources.list_columns("fixed") == ["hour"]
    after = Bundle.open(folder)
    assert after.config.sha256 == before.config.sha256
    assert after.config.ranker_sha256 != before.config.ranker_sha256
    assert {path.name: path.read_bytes() for path in ranker_folder.iterdir()} == ranker_files
    assert Ranker.load(folder / "ranker").label.name == "clicked"
    assert not list(folder.parent.glob(".*"))  # nothing temporary is left behind


def test_a_bundle_of_a_new_run_takes_the_place_of_one_with_a_ranker(folder: Path) -> None:
    old = Bundle.open(folder)
    new = write_bundle(
        folder,
        model=old.model,
        catalog=[{"item_id": one.item_id, "title": one.title} for one in old.items],
        config=dataclasses.replace(old.config, ranker_sha256=None),
        model_card="# New\n",
    )
    assert new.ranker is None
    assert not (folder / "ranker").exists()


def test_a_folder_with_files_of_others_is_not_written(folder: Path, ranker_folder: Path) -> None:
    (folder / "ranker" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"ranker/notes\.txt"):
        add_ranker(folder, ranker_folder)
    assert (folder / "ranker" / "notes.txt").exists()


def test_items_of_another_shop_are_refused_with_an_id_of_each(tmp_path: Path, folder: Path) -> None:
    MAKER.write_ranker(tmp_path / "other", ["7", "8"])
    before = (folder / "config.json").read_bytes()
    with pytest.raises(UserError, match="like '7', those of the bundle like 'bk-00001'"):
        add_ranker(folder, tmp_path / "other")
    assert (folder / "config.json").read_bytes() == before


def test_columns_of_a_table_of_items_are_taken_by_name(folder: Path, ranker_folder: Path) -> None:
    table = pl.DataFrame(
        {
            "book": ["bk-00002", "bk-00001", "bk-09999"],
            "pages": ["300", None, "5"],
            "genre": ["Sea|Crime", "Poetry", "Sea"],
            "colour": ["red", "blue", "green"],
        }
    )
    added = add_ranker(folder, ranker_folder, items=table)
    assert (added.num_covered, added.num_other_items) == (2, 1)
    assert added.bundle.ranker is not None
    assert added.bundle.ranker.items == ItemValues(
        "book", ("bk-00001", "bk-00002"), {"pages": (None, 300), "genre": ("Poetry", "Sea|Crime")}
    )


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ({"isbn": ["1"], "pages": [3]}, {}, "no column has the ids"),
        ({"isbn": ["1"], "pages": [3]}, {"item_id": "id"}, "item_id names the column 'id'"),
        ({"book": ["1", "1.0"], "pages": [3, 4]}, {}, "'1' stands in two rows"),
    ],
)
def test_tables_of_items_that_do_not_fit_are_refused(
    table: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    schema = MAKER.make_schema(["1"])
    with pytest.raises(UserError, match=message):
        read_item_table(pl.DataFrame(table), schema, "book", arguments.get("item_id"))


def test_a_value_that_no_device_could_read_is_refused(folder: Path, ranker_folder: Path) -> None:
    table = pl.DataFrame({"book": ["bk-00001", "bk-00002"], "pages": ["many", "12"]})
    with pytest.raises(UserError, match="pages"):
        add_ranker(folder, ranker_folder, items=table)


def test_a_ranker_without_columns_of_items_is_refused(folder: Path, ranker_folder: Path) -> None:
    path = ranker_folder.parent / "without"
    shutil.copytree(ranker_folder, path, dirs_exist_ok=True)
    config = json.loads((path / "config.json").read_text())
    config.pop("config_sha256")
    del config["sha256"]["items.json"]
    (path / "items.json").unlink()
    (path / "config.json").write_bytes(encode_with_own_hash(config))
    with pytest.raises(UserError, match=r"no items\.json.*\n.*--items"):
        add_ranker(folder, path)


@pytest.mark.parametrize(
    ("values", "source"),
    [
        (["Mon", "Tue", "Sun"], "weekday"),
        (["1", "7"], "weekday"),
        (["0", "6"], "weekday"),
        (["Montag", "Dienstag"], "missing"),
    ],
)
def test_weekdays_are_recognized_by_their_values(values: list[str], source: str) -> None:
    schema = MAKER.make_schema(["1"])
    categorical = tuple(
        dataclasses.replace(feature, values=tuple(values)) if feature.name == "weekday" else feature
        for feature in schema.categorical
    )
    schema = dataclasses.replace(schema, categorical=categorical)
    chosen = choose_sources(schema, ItemValues("book", (), {}), where="ranker")
    column = next(column for column in chosen.columns if column.name == "weekday")
    assert column.source == source
    if source == "weekday":
        assert set(values) <= set(column.values)
        # Monday comes first however weekdays are written.
        assert column.values[0] in ("Mon", "1", "0")


def test_a_ranking_split_has_the_columns_of_its_items() -> None:
    log = generate_clicks(num_impressions=2000, num_users=50, num_items=100)
    split = read_ranking_split(log.frame, label="clicked")
    assert split.item_values is not None
    genres = dict(zip(log.books["item"], log.books["genre"], strict=True))
    # The price changes from row to row: a sale.
    assert list(split.item_values.columns) == ["genre"]
    assert split.item_values.item == "item"
    assert set(split.item_values.item_ids) == set(log.frame["item"])
    assert all(
        split.item_values.get("genre", one) == genres[one] for one in split.item_values.item_ids
    )
    # A joined table has more books than the rows, and columns of other names.
    part = log.frame.filter(pl.col("item").is_in(log.books["item"][:60].to_list()))
    joined = read_ranking_split(part, label="clicked", items=log.books)
    assert joined.item_values is not None
    assert set(joined.item_values.item_ids) == set(log.books["item"])
    assert len(joined.item_values.item_ids) == 100
    for name in ("year", "item price"):
        column = name.removeprefix("item ")
        expected = dict(zip(log.books["item"], log.books[column], strict=True))
        values = {one: joined.item_values.get(name, one) for one in joined.item_values.item_ids}
        assert values == expected


def test_columns_of_a_great_many_items_are_left_to_the_table_of_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = generate_clicks(num_impressions=2000, num_users=50, num_items=100)
    monkeypatch.setattr("kd_tf.data.ranking.item_values.MAX_ITEMS", 99)
    assert read_ranking_split(log.frame, label="clicked").item_values is None


def test_rows_without_an_item_belong_to_no_item() -> None:
    log = generate_clicks(num_impressions=2000, num_users=50, num_items=100)
    items = pl.Series([None if row % 9 == 0 else one for row, one in enumerate(log.frame["item"])])
    split = read_ranking_split(log.frame.with_columns(item=items), label="clicked")
    assert split.item_values is not None
    assert set(split.item_values.item_ids) == set(items.drop_nulls())
    assert list(split.item_values.columns) == ["genre"]


def test_rows_without_items_have_no_values_of_items() -> None:
    log = generate_clicks(num_impressions=2000, num_users=50, num_items=100)
    assert read_ranking_split(log.frame.drop("item"), label="clicked").item_values is None


def test_the_books_of_the_click_log_are_those_of_the_bookshop() -> None:
    """So that the two demos, with as many books and the same seed, fit together."""
    log = generate_clicks(num_impressions=1000, num_users=20, num_items=300)
    shop = generate_bookshop(num_items=300, num_users=20)
    assert log.books["item"].to_list() == shop.catalog.frame["item_id"].to_list()
    assert log.books["title"].to_list() == shop.catalog.frame["title"].to_list()

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading

import pytest

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.keyed_folder import hash_files
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
from kd_tf.runtime.bundle_files import encode_with_own_hash
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.recommender import Recommender

V = 200


def change_config(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_bytes(encode_with_own_hash({**config, **changes}))


def replace_listed(folder, name, content):
    """Changes a file and its hash, as somebody who made a bundle by hand would."""
    (folder / name).write_bytes(content)
    hashes = json.loads((folder / "config.json").read_text())["sha256"]
    change_config(folder, sha256={**hashes, name: hashlib.sha256(content).hexdigest()})


def test_what_was_written_is_read_back(bundle, tflite, config, catalog):
    opened = Bundle.open(str(bundle))
    assert opened.model_path.read_bytes() == tflite
    assert dataclasses.replace(opened.config, sha256={}) == config
    assert opened.items[0] == Item(1, "b200", title="Title number 1", year=1900)
    assert [item.id for item in opened.items] == list(range(1, V + 1))
    assert [item.item_id for item in opened.items] == [row["item_id"] for row in catalog]
    assert sorted(file.name for file in bundle.iterdir()) == [
        "MODEL_CARD.md",
        "catalog.json",
        "config.json",
        "model.tflite",
    ]


def test_the_files_have_the_documented_form(bundle, tflite):
    catalog = json.loads((bundle / "catalog.json").read_bytes())
    assert catalog["version"] == 1
    assert catalog["books"][1] == {
        "id": 2,
        "item_id": "b199",
        "title": "Title number 2",
        "year": 1901,
    }
    config = json.loads((bundle / "config.json").read_bytes())
    assert config["contract_version"] == 1
    assert config["sha256"]["model.tflite"] == hashlib.sha256(tflite).hexdigest()
    assert set(config) == {
        *("contract_version", "name", "num_items", "max_length", "recommendations"),
        *("candidates", "signatures"),
        *("min_runtime_version", "quantization", "metrics", "dataset", "sha256"),
        "config_sha256",
    }


def test_config_survives_json(config):
    assert BundleConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_titles_in_every_script_survive_and_unknown_values_are_left_out(tmp_path, tflite, config):
    titles = [
        "三体",
        "Мастер и Маргарита",
        "Les Mise\u0301rables",
        "كتاب",
        'A "quoted"\nline',
        None,
    ]
    rows = [{"item_id": str(row), "title": title, "year": None} for row, title in enumerate(titles)]
    write_bundle(
        tmp_path / "b",
        model=tflite,
        catalog=rows,
        config=dataclasses.replace(config, num_items=len(titles)),
        model_card="",
    )
    assert [item.title for item in Bundle.open(tmp_path / "b").items] == titles
    raw = (tmp_path / "b" / "catalog.json").read_text(encoding="utf-8")
    assert "三体" in raw
    assert "null" not in raw


@pytest.mark.parametrize("name", ["model.tflite", "catalog.json", "MODEL_CARD.md", "config.json"])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(UserError, match="No such file") as refusal:
        Bundle.open(bundle)
    assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["model.tflite", "catalog.json", "MODEL_CARD.md"])
def test_a_changed_byte_is_found(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match="SHA-256 differs") as refusal:
        Bundle.open(bundle)
    assert name in str(refusal.value)


def test_the_folder_of_a_run_is_taken_for_its_bundle(bundle, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "results.json").touch()
    with pytest.raises(UserError, match=r"neither a bundle.* nor the folder of a run"):
        Bundle.open(run)
    bundle.rename(run / "bundle")
    assert Bundle.open(run).folder == run / "bundle"
    assert len(Recommender.load(str(run)).recommend([])) > 0


def test_a_folder_or_file_that_is_no_bundle_is_refused_in_words(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"neither a bundle.* nor the folder of a run"):
        Bundle.open(tmp_path / "empty")
    with pytest.raises(UserError, match="this is a file"):
        Bundle.open(bundle / "model.tflite")


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None])
def test_another_contract_version_is_refused(bundle, version):
    change_config(bundle, contract_version=version, items="meaningless in that version")
    with pytest.raises(UserError, match=r"has contract version .* reads version 1"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/hostname",
        "sub/x",
        "..",
        ".",
        "",
        "sub\\x",
        "C:x",
        "\0",
        "../bundle/model.tflite",
    ],
)
def test_a_path_out_of_the_folder_is_refused_before_anything_is_read(bundle, name):
    hashes = json.loads((bundle / "config.json").read_text())["sha256"]
    (bundle.parent / "x").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    change_config(bundle, sha256={**hashes, name: digest})
    with pytest.raises(UserError, match="not the name of a file in its folder"):
        Bundle.open(bundle)


def test_a_folder_of_links_is_a_bundle(bundle, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    for file in bundle.iterdir():
        (links / file.name).symlink_to(file)
    assert len(Bundle.open(links).items) == V


@pytest.mark.parametrize("name", ["model.tflite", "catalog.json"])
def test_model_and_catalogue_must_be_listed(bundle, name):
    hashes = json.loads((bundle / "config.json").read_text())["sha256"]
    del hashes[name]
    change_config(bundle, sha256=hashes)
    with pytest.raises(UserError, match=f"does not list {name}"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"contract_version": 1', b"\xff\xfe", b"[" * 100_000]
)
def test_a_config_that_is_not_json_is_refused(bundle, content):
    (bundle / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json: the file is damaged: it is not valid JSON"):
        Bundle.open(bundle)


def test_a_config_cut_anywhere_is_refused(bundle):
    path = bundle / "config.json"
    whole = path.read_bytes().rstrip()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="not valid JSON"):
            Bundle.open(bundle)


@pytest.mark.parametrize("own", [None, 5, "", "0" * 64, "é" * 64, "f" * 64])
def test_a_config_without_its_own_hash_is_refused(bundle, own):
    path = bundle / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "config_sha256": own}))
    with pytest.raises(UserError, match="config_sha256 is not its SHA-256"):
        Bundle.open(bundle)


def test_a_config_that_is_no_object_is_refused(bundle):
    (bundle / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="one JSON object"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_items", "200"),
        ("num_items", True),
        ("max_length", 0),
        ("recommendations", None),
        ("signatures", "recommend"),
        ("signatures", [1]),
        ("metrics", []),
        ("sha256", {"model.tflite": 5}),
        ("name", 7),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_key(bundle, key, value):
    change_config(bundle, **{key: value})
    with pytest.raises(UserError, match=f"{key} must be"):
        Bundle.open(bundle)


def test_keys_that_a_later_version_added_are_no_hindrance(bundle):
    change_config(bundle, licence="CC BY 4.0")
    assert Bundle.open(bundle).config.num_items == V


def _catalog_of(rows, version=1):
    return json.dumps({"version": version, "books": rows}).encode()


ROWS = [{"id": row, "item_id": str(row)} for row in range(1, V + 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_catalog_of(ROWS)[:-50], "not valid JSON"),
        (b"[]", "list of books"),
        (_catalog_of(ROWS, version=2), "has version 2"),
        (_catalog_of(ROWS[:-1]), "has 199 items, config.json says 200"),
        (_catalog_of([*ROWS, {"id": 201, "item_id": "x"}]), "has 201 items"),
        (_catalog_of([ROWS[1], ROWS[0], *ROWS[2:]]), "item 1 must be an object with the id 1"),
        (_catalog_of(["x", *ROWS[1:]]), "item 1 must be an object"),
        (_catalog_of([{"id": 1}, *ROWS[1:]]), "item 1 has no item_id"),
        (_catalog_of([{"id": 1, "item_id": 5}, *ROWS[1:]]), "item_id cannot be 5"),
        (_catalog_of([{"id": 1, "item_id": "2"}, *ROWS[1:]]), "same item_id"),
        (_catalog_of([{**ROWS[0], "year": "1954"}, *ROWS[1:]]), "year cannot be '1954'"),
    ],
)
def test_a_catalogue_that_does_not_fit_is_refused_although_its_hash_is_right(
    bundle, content, message
):
    replace_listed(bundle, "catalog.json", content)
    with pytest.raises(UserError, match=message) as refusal:
        Bundle.open(bundle)
    assert "catalog.json" in str(refusal.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        Bundle.open(tmp_path / "gone")


@pytest.mark.parametrize("write", range(4))
@pytest.mark.parametrize("there_before", [False, True])
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path, tflite, catalog, config, monkeypatch, write, there_before
):
    folder = tmp_path / "bundle"
    arguments = {"model": tflite, "catalog": catalog, "model_card": ""}
    if there_before:
        old = dataclasses.replace(config, name="old")
        write_bundle(folder, config=old, **arguments)
    done = 0
    whole = atomic.write_bytes

    def killed(path, content):
        nonlocal done
        if done == write:
            raise KeyboardInterrupt
        done += 1
        whole(path, content)

    monkeypatch.setattr(atomic, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(folder, config=config, **arguments)
    if there_before:
        assert Bundle.open(folder).config.name == "old"
        assert list(tmp_path.iterdir()) == [folder]
    else:
        assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_bundle(bundle, tflite, catalog, config):
    new = dataclasses.replace(config, name="new")
    written = write_bundle(bundle, model=tflite, catalog=catalog, config=new, model_card="")
    assert written == Bundle.open(bundle)
    assert written.config.name == "new"
    assert list(bundle.parent.iterdir()) == [bundle]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"item_id": "x", "titel": "Dune"}, "titel"),
        ({"item_id": "x", "id": 9}, "item 1 of the catalog has the id 9"),
        ({"title": "Dune"}, "item 1 of the catalog has no item_id"),
    ],
)
def test_a_catalogue_row_that_does_not_fit_is_not_written(
    tmp_path, tflite, catalog, config, row, message
):
    with pytest.raises(ValueError, match=message):
        write_bundle(
            tmp_path / "b", model=tflite, catalog=[row, *catalog[1:]], config=config, model_card=""
        )
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_its_reader_would_refuse_does_not_replace_a_good_one(
    bundle, tflite, catalog, config
):
    twice = [catalog[0], *catalog[:-1]]
    with pytest.raises(UserError, match="same item_id"):
        write_bundle(bundle, model=tflite, catalog=twice, config=config, model_card="")
    assert Bundle.open(bundle).items[1].item_id == catalog[1]["item_id"]


def test_a_catalogue_of_another_length_is_not_written(tmp_path, tflite, catalog, config):
    with pytest.raises(ValueError, match="199 items, but the config has num_items 200"):
        write_bundle(
            tmp_path / "b", model=tflite, catalog=catalog[:-1], config=config, model_card=""
        )


def test_a_figure_that_is_not_finite_is_not_written(tmp_path, tflite, catalog, config):
    broken = dataclasses.replace(config, metrics={"ndcg@10": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        write_bundle(tmp_path / "b", model=tflite, catalog=catalog, config=broken, model_card="")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_replaced_while_it_is_opened_is_one_or_the_other(
    tmp_path, tflite, recommend_only, catalog, config
):
    """Two bundles change places all the time; model, catalog and config are always of one."""
    folder = tmp_path / "bundle"
    versions = [
        (tflite, [{**row, "title": "first"} for row in catalog], config),
        (
            recommend_only,
            [{**row, "title": "second"} for row in catalog],
            dataclasses.replace(config, name="second", signatures=("recommend",)),
        ),
    ]

    def write(number: int) -> None:
        model, rows, settings = versions[number % 2]
        write_bundle(folder, model=model, catalog=rows, config=settings, model_card="")

    write(0)
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            write(number)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    seen = set()
    try:
        for _ in range(300):
            bundle = Bundle.open(folder)
            names = {item.title for item in bundle.items}
            seen.add((bundle.config.name, bundle.model == tflite, *names))
    finally:
        stop.set()
        writer.join()
    assert seen <= {(config.name, True, "first"), ("second", False, "second")}
    assert len(seen) == 2


def test_a_model_file_cut_off_after_opening_changes_nothing(bundle, tflite):
    recommender = Recommender.load(bundle)
    before = recommender.recommend(["b1"])
    os.truncate(bundle / "model.tflite", 100)
    assert recommender.recommend(["b1"]) == before
    assert recommender.bundle.model == tflite


def test_a_bundle_that_does_not_answer_does_not_replace_one_that_does(
    bundle, tflite, catalog, config
):
    before = hash_files(bundle)
    broken = tflite[:-1000] + bytes(1000)
    with pytest.raises(UserError):
        write_bundle(
            bundle,
            model=broken,
            catalog=catalog,
            config=config,
            model_card="",
            check=Recommender.from_bundle,
        )
    assert hash_files(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize(
    "metrics", [{"ndcg@10": "high"}, {"ndcg@10": None}, {"ndcg@10": True}, {"ndcg@10": [0.1]}]
)
def test_a_metric_that_is_no_number_is_refused(bundle, metrics):
    change_config(bundle, metrics=metrics)
    with pytest.raises(UserError, match="is not a number"):
        Bundle.open(bundle)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(bundle, value):
    path = bundle / "config.json"
    path.write_text(path.read_text().replace('"metrics": {', f'"metrics": {{"x": {value}, ', 1))
    with pytest.raises(UserError, match="not valid JSON"):
        Bundle.open(bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(bundle):
    (bundle / "catalog.json").unlink()
    os.mkfifo(bundle / "catalog.json")
    with pytest.raises(UserError, match="not a regular file"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quantization", "two bits"),
        ("min_runtime_version", "1.0"),
        ("min_runtime_version", "new"),
    ],
)
def test_what_the_config_says_of_the_model_is_compared_with_it(bundle, key, value):
    change_config(bundle, **{key: value})
    with pytest.raises(UserError, match="but the model"):
        Recommender.load(bundle)

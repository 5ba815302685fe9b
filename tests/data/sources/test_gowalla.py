"""Gowalla as SNAP ships it: check-ins and friendships."""

import gzip
from pathlib import Path

import pytest

from kd_tf.data.sources.gowalla import read_gowalla
from kd_tf.errors import UserError

CHECK_INS = (
    "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
    "0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315\n"
    "0\t2010-10-17T23:42:03Z\t30.2557309927\t-97.7633857727\t22847\n"
    "2\t2009-02-04T05:17:38Z\t37.7749295\t-122.4194155\t9410\n"
    "5\t1969-12-31T23:59:58Z\t0.0\t0.0\t9410\n"
)
EDGES = "0\t2\n2\t0\n0\t5\n5\t0\n2\t77\n77\t2\n5\t5\n"


def write(folder: Path, check_ins: str = CHECK_INS, edges: str | None = EDGES) -> Path:
    name = "loc-gowalla_totalCheckins.txt.gz"
    (folder / name).write_bytes(gzip.compress(check_ins.encode()))
    if edges is not None:
        (folder / "loc-gowalla_edges.txt").write_text(edges)
    return folder


def test_check_ins_have_users_places_and_times(tmp_path: Path) -> None:
    dataset = read_gowalla(write(tmp_path))
    data = dataset.interactions
    assert data.user_ids == ["0", "2", "5"]
    assert dataset.catalog.item_ids == ["22847", "420315", "9410"]
    assert data.user.tolist() == [0, 0, 0, 1, 2]
    assert data.item.tolist() == [1, 2, 1, 3, 3]
    assert data.timestamp.tolist() == [1287532527, 1287440263, 1287358923, 1233724658, -2]
    assert data.rating is None


def test_friendships_stand_once_with_the_lower_number_first(tmp_path: Path) -> None:
    dataset = read_gowalla(write(tmp_path))
    assert dataset.friendships.tolist() == [[0, 1], [0, 2]]
    assert any(note.startswith("2 rows of loc-gowalla_edges.txt") for note in dataset.notes)


def test_friendships_may_be_missing(tmp_path: Path) -> None:
    assert read_gowalla(write(tmp_path, edges=None)).friendships is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\tyesterday\t1\t2\t3", "'yesterday' is not a time"),
        ("1\t2010-10-19T23:55:27Z\t1\t2", "has 4 fields"),
        ("\t2010-10-19T23:55:27Z\t1\t2\t3", "not a user id"),
        ("1\t2010-10-19T23:55:27Z\t1\t2\t", "not an item id"),
    ],
)
def test_a_malformed_check_in_is_refused_or_skipped(tmp_path: Path, line, message) -> None:
    folder = write(tmp_path, CHECK_INS + line + "\n")
    with pytest.raises(UserError, match=message) as caught:
        read_gowalla(folder)
    assert ".txt.gz:6" in caught.value.where
    dataset = read_gowalla(folder, on_bad_rows="skip")
    assert len(dataset.interactions) == 5
    assert dataset.dropped_rows == {"bad row": 1}


def test_a_malformed_friendship_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fields") as caught:
        read_gowalla(write(tmp_path, edges="0\t2\n2\n"))
    assert "edges.txt:2" in caught.value.where


def test_missing_check_ins_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="loc-gowalla_totalCheckins"):
        read_gowalla(tmp_path)

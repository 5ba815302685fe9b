from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.config import from_values
from kd_tf.errors import UserError
from kd_tf.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("600kB", 600_000),
        ("1.5MB", 1_500_000),
        ("250000", 250_000),
        ("250000B", 250_000),
        ("2KiB", 2048),
        ("0.5 MiB", 524_288),
        ("1GB", 10**9),
        ("1GiB", 2**30),
        (" 600KB ", 600_000),
        ("1.0001kB", 1000),
        ("0.29MB", 290_000),  # in floating-point numbers a byte less
    ],
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert from_values({"student": {"max_bytes": text}}).student.max_bytes == size


@pytest.mark.parametrize(
    "text",
    ["", "kB", "600k", "1.5.2MB", "-3kB", "1e6", "1,000", "600 k B", "1TB", "٣kB", "0", "0.5"],
)
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size|is less than a byte") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)
    with pytest.raises(UserError, match=r"student\.max_bytes"):
        from_values({"student": {"max_bytes": text}})


@given(st.integers(1, 10**15), st.sampled_from([("kB", 1000), ("MB", 10**6), ("MiB", 2**20)]))
def test_whole_numbers_of_units(count: int, unit: tuple[str, int]) -> None:
    name, size = unit
    assert parse_size(f"{count}{name}") == parse_size(str(count * size)) == count * size

"""Infers what a column is: categories, numbers, lists, times, texts, or nothing to learn from.

The rules look at training rows alone and at no name of a data set. docs/reference/features.md lists
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from kd_tf.data.ranking.training_values import TrainingValues
from kd_tf.data.values.times import NO_TIME, TimeParser, TimeRules
from kd_tf.errors import UserError

ColumnKind = Literal[
    "categorical", "numeric", "multi", "date", "text",
    "constant", "missing", "identifier", "duplicate", "label", "ignored",
]  # fmt: skip
"""What a column is. Features are made of the first four."""

ENCODED_KINDS: tuple[ColumnKind, ...] = ("categorical", "numeric", "multi", "date")

FIRST_ROWS = 10_000
"""A column that is numbers in so many rows is numbers: a text after them is an error."""

FEW_VALUES = 32
"""Whole numbers with at most so many distinct values are categories."""

_LEAST_KEYS = 200
"""Fewer distinct whole numbers are an age, a day or a count even where they fill their range."""

_FILLED_SHARE = 0.5
_MAX_SMOOTHNESS = 0.9
_CHANCE = 0.455
_LEAST_ROUGHNESS, _MOST_ROUGHNESS = 0.4, 3.0
_SHARE_OF_NUMBERS = 0.95
_MAX_SIGNS_OF_NOTHING = 3
_LONGEST_SIGN_OF_NOTHING = 12
_LEAST_IDENTIFIERS = 20
_SENTENCE_WORDS = 4
_LONG_WORDS = 8
_LEAST_TEXTS = 20
_SAMPLE = 2000
_SEPARATORS = {"|": 0.01, ";": 0.1, ",": 0.1}
"""Separators of lists, and the least share of rows that must have one."""

_ID_WORDS = frozenset(
    [
        *("id", "ids", "uid", "uuid", "guid", "key", "code", "zip", "zipcode", "postcode"),
    ]
)
_THINGS = frozenset(
    [
        *("user", "item", "movie", "book", "product", "customer", "client", "member", "session"),
        *("device", "ad", "page", "site", "app", "shop", "store", "seller", "news", "article"),
        *("song", "track", "artist", "video", "campaign", "visitor", "account", "domain"),
        *("city", "country", "region", "state", "category", "genre", "type", "brand", "channel"),
    ]
)
"""Whole numbers whose name ends in a thing, and not in a quantity, are its codes."""
_TIME_WORDS = frozenset(
    [
        *("time", "timestamp", "date", "datetime", "ts", "day", "created", "updated", "at"),
        *("epoch", "unix", "when", "seconds"),
    ]
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
INFINITE = r"(?i)^[+-]?inf(?:inity)?$"
"""An infinite number, as programs write it."""


@dataclass(frozen=True)
class ColumnSummary:
    """What a column is taken for, and why.

    Attributes:
        name: Its name.
        kind: What it is.
        reason: Why, in a few words.
        num_values: Number of distinct values in the training rows.
        missing_share: Share of the training rows without a value.
        examples: Its most frequent values.
        separator: What stands between the values of a list; "" for others.
        missing: Texts that stand for a missing value in this column alone.

    Example:
        >>> ColumnSummary("age", "numeric", "whole numbers, 70 distinct", 70, 0.0).kind
        'numeric'
    """

    name: str
    kind: ColumnKind
    reason: str
    num_values: int = 0
    missing_share: float = 0.0
    examples: tuple[str, ...] = ()
    separator: str = ""
    missing: tuple[str, ...] = ()


def summarize_column(
    values: TrainingValues,
    kind: ColumnKind,
    reason: str,
    separator: str = "",
    missing: tuple[str, ...] = (),
) -> ColumnSummary:
    """Returns the summary of a column whose kind is known."""
    examples: tuple[str, ...] = ()
    if not values.is_long_text:
        most_frequent = np.argsort(-values.counts, kind="stable")[:3]
        is_frequent = np.zeros(len(values), bool)
        is_frequent[most_frequent] = True
        frequent_values = values.select(is_frequent)
        order = np.argsort(-frequent_values.counts, kind="stable")
        examples = tuple(frequent_values.texts.gather(order).to_list())
    return ColumnSummary(
        values.name, kind, reason, len(values),
        values.num_missing / max(values.num_rows, 1), examples, separator, missing,
    )  # fmt: skip


def infer_column(
    values: TrainingValues, first_values: TrainingValues, times: TimeRules
) -> ColumnSummary:
    """Infers what a column is.

    Args:
        values: Its values in the training rows.
        first_values: Those in the first `FIRST_ROWS` training rows that have one.
        times: How times are written, as far as it is known.

    Returns:
        The summary. A column that was numbers in its first rows is ``numeric`` although later rows
        have texts; these are bad rows.
    """
    if not values.num_present:
        return summarize_column(values, "missing", "no training row has a value")
    if values.is_long_text:
        return summarize_column(values, "text", "sentences")
    if len(values) == 1 and not values.num_missing:
        return summarize_column(values, "constant", f"always {values.texts[0]!r}")
    numbers, missing = _find_numbers(values, first_values)
    if numbers is not None:
        if _is_time(numbers, times):
            return summarize_column(values, "date", "times, by name and size", missing=missing)
        kind, reason = infer_number_kind(numbers)
        if missing:
            shown_texts = ", ".join(map(repr, missing))
            reason += f"; {shown_texts} taken for a missing value"
        if missing and kind == "categorical":
            missing = ()
        return summarize_column(values, kind, reason, missing=missing)
    if _is_time_text(values, times):
        return summarize_column(values, "date", "times")
    separator = find_separator(values)
    if separator:
        return summarize_column(values, "multi", f"values with {separator} between them", separator)
    return _infer_text_kind(values)


def _find_numbers(
    values: TrainingValues, first_values: TrainingValues
) -> tuple[TrainingValues | None, tuple[str, ...]]:
    """Returns the numbers of a column of numbers, and the texts in it that mean nothing."""
    is_number = ~np.isnan(values.numbers)
    if is_number.all():
        return values, ()
    numbers = values.select(is_number)
    if len(numbers) <= FEW_VALUES:
        return None, ()
    is_first_number = ~np.isnan(first_values.numbers)
    first_texts = first_values.texts.filter(pl.Series(~is_first_number)).to_list()
    signs = tuple(sorted(text for text in first_texts if _is_sign_of_nothing(text)))
    few_signs = len(signs) == len(first_texts) <= _MAX_SIGNS_OF_NOTHING
    first_share = first_values.counts[is_first_number].sum() / max(first_values.num_present, 1)
    if few_signs and first_share >= 0.5 and is_first_number.sum() > FEW_VALUES:
        return numbers, signs
    if numbers.num_present >= _SHARE_OF_NUMBERS * values.num_present:
        return numbers, ()
    return None, ()


def _is_sign_of_nothing(text: str) -> bool:
    """Says whether a text among numbers may stand for a missing value: ?, unknown, n.a."""
    has_digit = any(character.isdigit() for character in text)
    is_short = len(text) <= _LONGEST_SIGN_OF_NOTHING
    return is_short and not has_digit and not re.match(INFINITE, text)


def infer_number_kind(values: TrainingValues) -> tuple[ColumnKind, str]:
    """Infers whether numbers are quantities, categories or ids.

    - Fractions are numeric.
    - Whole numbers with at most `FEW_VALUES` distinct values are categorical.
    - Whole numbers that are all distinct are an identifier if the name says so or if they fill
      their range.
    - Whole numbers are categorical if the name says that they are ids or codes (``user``,
      ``item_id``, ``zip``, ``city``), or if they look like keys: more than 200, they fill at least
      half of the range from the least to the largest, and neighbours occur as often as keys do
      (`has_counts_of_keys`).
    - All others are numeric.

    Returns:
        The kind and the reason.
    """
    if not values.is_integer:
        return "numeric", f"numbers, {len(values)} distinct"
    sorted_numbers, counts = values.sort_by_number()
    what = f"whole numbers, {len(values)} distinct"
    fills = len(values) / (sorted_numbers[-1] - sorted_numbers[0] + 1) >= _FILLED_SHARE
    is_id = is_id_name(values.name)
    if (
        len(values) == values.num_present == values.num_rows >= _LEAST_IDENTIFIERS
        and (is_id or fills)
        and len(values) > FEW_VALUES
    ):
        return "identifier", "every row has a number of its own"
    if len(values) <= FEW_VALUES:
        return "categorical", what
    if is_id:
        return "categorical", f"{what}; ids, by the name"
    if fills and len(values) > _LEAST_KEYS and has_counts_of_keys(counts):
        return "categorical", f"{what}; keys, as neighbours occur unequally often"
    return "numeric", what


def has_counts_of_keys(counts: np.ndarray) -> bool:
    """Says whether frequencies of neighbouring numbers are those of keys, not of a quantity.

    Neighbouring quantities occur about equally often: their frequencies differ by chance or
    gradually. Neighbouring keys differ much more than by chance, or not at all, as where everybody
    rates as many items. Measured are the median of (a - b) ** 2 / (a + b), which is 0.455 by chance
    (chi square), and the correlation of the logarithms, which is high where a trend makes the
    differences.

    Args:
        counts: int64 [d], how often each number occurs, in the order of the numbers.

    Example:
        >>> prices = np.array([9, 14, 10, 6, 12, 18, 13, 20, 15])
        >>> has_counts_of_keys(prices), has_counts_of_keys(np.arange(1000, 100, -10))
        (False, False)
        >>> has_counts_of_keys(np.array([900, 10, 300, 2, 700, 90]))
        True
    """
    first, second = counts[:-1].astype(np.float64), counts[1:].astype(np.float64)
    roughness = float(np.median((first - second) ** 2 / (first + second))) / _CHANCE
    first, second = np.log(first), np.log(second)
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).sum() * (second**2).sum())
    smoothness = (first * second).sum() / size if size > 1e-9 else 0.0
    is_by_chance = _LEAST_ROUGHNESS <= roughness <= _MOST_ROUGHNESS
    return not is_by_chance and bool(smoothness < _MAX_SMOOTHNESS)


def is_id_name(name: str) -> bool:
    """Says whether a name is that of ids or codes.

    Example:
        >>> [is_id_name(name) for name in ("userId", "ITEM_ID", "movieid", "zip", "paid", "width")]
        [True, True, True, True, False, False]
    """
    words = _split_name(name)
    if not words:
        return False
    ends_in_id = any(
        word.removesuffix("s").removesuffix("id") in _THINGS for word in words if "id" in word
    )
    return ends_in_id or not _ID_WORDS.isdisjoint(words) or words[-1] in _THINGS


def _split_name(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _is_time(values: TrainingValues, times: TimeRules) -> bool:
    """Says whether numbers are times: by their name, and as all of them can be read as such."""
    if not _TIME_WORDS.intersection(_split_name(values.name)) or not values.is_integer:
        return False
    numbers = values.numbers[~np.isin(values.numbers, (0, -1))]
    is_plausible = len(numbers) and numbers.min() >= 10**7
    # The least and the largest, and numbers between: all of them are parsed later.
    order = np.argsort(values.numbers)
    is_sample = np.zeros(len(values), bool)
    is_sample[order[np.linspace(0, len(values) - 1, _SAMPLE).astype(np.int64)]] = True
    return bool(is_plausible) and _parse_all(values.select(is_sample).texts, times)


def _is_time_text(values: TrainingValues, times: TimeRules) -> bool:
    # Two digits and a sign between digits: most texts are not looked at twice.
    sample = values.texts.head(_SAMPLE)
    if not sample.str.contains(r"\d\d").all():
        return False
    return bool(np.isnan(values.numbers).all()) and _parse_all(sample, times)


def _parse_all(texts: pl.Series, times: TimeRules) -> bool:
    try:
        return bool((parse_times(texts, times, "")[0] != NO_TIME).any())
    except UserError:
        return False


def parse_times(texts: pl.Series, times: TimeRules, where: str) -> tuple[np.ndarray, str]:
    """Parses distinct texts to times.

    Args:
        texts: String [d].
        times: How they are written, as far as it is known.
        where: The column, for errors.

    Returns:
        int64 [d], Unix microseconds, `NO_TIME` where a time is unknown; and how they were read.

    Raises:
        UserError: A text is no time, or the times can be read in two ways.
    """
    parser = TimeParser(times, where)
    if parser.needs_survey(texts):
        parser.survey(texts)
        parser.decide_order()
    parsed_times = parser.parse(texts)
    if parsed_times.null_count():
        text = texts.filter(parsed_times.is_null())[0]
        raise UserError(f"{text!r} {parser.explain(is_number=False)}", where=where)
    return parsed_times.to_numpy(), parser.reading


def find_separator(values: TrainingValues, separators: Sequence[str] = tuple(_SEPARATORS)) -> str:
    """Finds the separator of a column of lists; "" if it has none.

    A separator stands in at least a hundredth (``|``) or a tenth (``;`` and ``,``) of the rows, and
    the parts between are short and repeat. Those between ``;`` or ``,`` are no more than the
    distinct values and occur 1.5 times on average, as the places in "Paris, France" do not.
    """
    for separator in separators:
        has_separator = values.texts.str.contains(separator, literal=True)
        share = values.counts[has_separator.to_numpy()].sum() / values.num_present
        if not share or share < _SEPARATORS.get(separator, 0):
            continue
        sample = values.texts.head(_SAMPLE * 10)
        parts = sample.str.split(separator).explode().str.strip_chars()
        num_parts = parts.n_unique()
        is_short = float(parts.str.len_chars().mean() or 0) <= 30  # type: ignore[arg-type]
        has_few_words = float(parts.str.count_matches(r"\s").mean() or 0) < 2  # type: ignore[arg-type]
        if separator == "|":
            repeats = len(parts) > num_parts
        else:
            repeats = num_parts <= len(sample) and len(parts) >= 1.5 * num_parts
        if is_short and has_few_words and repeats:
            return separator
    return ""


def _infer_text_kind(values: TrainingValues) -> ColumnSummary:
    """Infers whether texts are sentences, identifiers or categories."""
    num_values, num_present = len(values), values.num_present
    words: float = values.texts.str.count_matches(r"\S+").mean()  # type: ignore[assignment]
    is_sentence = words >= _SENTENCE_WORDS and num_values >= num_present / 2
    if num_values > _LEAST_TEXTS and (is_sentence or words >= _LONG_WORDS):
        return summarize_column(values, "text", f"sentences of {words:.0f} words")
    if num_values == num_present == values.num_rows >= _LEAST_IDENTIFIERS:
        return summarize_column(values, "identifier", "every row has a value of its own")
    return summarize_column(values, "categorical", f"texts, {num_values} distinct")

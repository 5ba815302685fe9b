"""Generates the items of the synthetic bookshop: titles, authors, series and blurbs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kd_tf.data.synthetic.words import AUTHOR_NAMES, GENRES, Genre, Words

LAST_YEAR = 2023
"""Year of the newest item, one year before the last interactions."""


@dataclass(frozen=True)
class SyntheticItem:
    """A row of the catalog, with the properties that simulated users choose by.

    Attributes:
        title: Title, with series and volume.
        author: Name of the author.
        series: Name of the series; None for a single book.
        year: Year of publication.
        text: Blurb.
        genre: Index into `GENRES`.
        theme: Index of the sub-topic, over all genres.
        work: Index of the series or single book.
        volume: Volume of the series, from 1; 0 for a single book.
    """

    title: str
    author: str
    series: str | None
    year: int
    text: str
    genre: int
    theme: int
    work: int
    volume: int


def generate_items(num_items: int, random: np.random.Generator) -> list[SyntheticItem]:
    """Generates all items in random order, with genres in proportion to their weights."""
    weights = np.array([genre.weight for genre in GENRES])
    share = weights / weights.sum() * num_items
    counts = share.astype(int)
    counts[np.argsort(counts - share, kind="stable")[: num_items - counts.sum()]] += 1
    names = _shuffle_author_names(random)
    authors: list[_Author] = []
    titles: set[str] = set()
    items: list[SyntheticItem] = []
    first_theme = 0
    for number, genre in enumerate(GENRES):
        writer = _GenreWriter(number, genre, first_theme, titles, random)
        first_theme += len(genre.themes)
        num_missing = int(counts[number])
        while num_missing:
            author = _pick_author(number, authors, names, random)
            # Few authors write much: geometric with a mean of about six items in a genre.
            max_items = min(num_missing, 1 + int(np.log1p(-random.random()) / np.log(0.84)))
            written = writer.write(author, max_items, len(items))
            items += written
            num_missing -= len(written)
    return [items[index] for index in np.argsort(random.random(num_items), kind="stable")]


@dataclass
class _Author:
    """An author and the indices of the genres of the author's items."""

    name: str
    genres: list[int]


def _pick_author(
    genre: int, authors: list[_Author], names: Iterator[str], random: np.random.Generator
) -> _Author:
    """Creates an author, or sometimes picks one who has written in one related genre only."""
    candidates = [
        author
        for author in authors
        if len(author.genres) == 1 and GENRES[author.genres[0]].name in GENRES[genre].related_genres
    ]
    if candidates and random.random() < 0.12:
        author = candidates[int(random.random() * len(candidates))]
        author.genres.append(genre)
        return author
    author = _Author(next(names), [genre])
    authors.append(author)
    return author


def _shuffle_author_names(random: np.random.Generator) -> Iterator[str]:
    """Yields invented names of many cultures in random order, each once."""
    names = [
        _format_full_name(given_name.strip(), family.strip())
        for givens, families in AUTHOR_NAMES
        for given_name, family in itertools.product(givens.split(","), families.split(","))
    ]
    for index in np.argsort(random.random(len(names)), kind="stable"):
        yield names[index]


def _format_full_name(given_name: str, family: str) -> str:
    """Joins both names; names with a native spelling put the family name first."""
    if "=" not in given_name:
        return f"{given_name} {family}"
    latin_given, native_given = given_name.split("=")
    latin_family, native_family = family.split("=")
    return f"{latin_family} {latin_given} {native_family}{native_given}"


@dataclass(frozen=True)
class _Title:
    """A title, and the word that fills each slot of its pattern."""

    text: str
    slots: Mapping[str, str]

    def matches(self, fixed_words: Mapping[str, str]) -> bool:
        """Returns whether all `fixed_words` slots have the same word here or do not occur."""
        return all(self.slots.get(slot, word) == word for slot, word in fixed_words.items())


class _GenreWriter:
    """Generates the items of one genre; no title and no series name is used twice.

    Args:
        number: Index of `genre` in `GENRES`.
        genre: Patterns and words.
        first_theme: Index of the genre's first theme over all genres.
        titles: Used titles of all genres; new ones are added.
        random: Random generator.
    """

    def __init__(
        self,
        number: int,
        genre: Genre,
        first_theme: int,
        titles: set[str],
        random: np.random.Generator,
    ) -> None:
        self._number = number
        self._genre = genre
        self._first_theme = first_theme
        self._used_titles = titles
        self._blurbs: set[str] = set()
        self._random = random
        self._words: list[Words] = [
            {**genre.words, **words, "theme": (name,)} for name, words in genre.themes.items()
        ]
        self._singles = [self._fill_patterns(genre.titles, words) for words in self._words]
        self._volumes = (
            [self._fill_patterns(genre.volumes, words) for words in self._words]
            if genre.volumes
            else self._singles
        )
        self._series = [self._fill_patterns(genre.series, words) for words in self._words]

    def write(self, author: _Author, max_items: int, first_work: int) -> list[SyntheticItem]:
        """Generates items of one author, mostly of one theme, oldest first.

        Args:
            author: The author.
            max_items: Maximum number of items, 1 or more; at least one is generated.
            first_work: First index of a work that is not in use.
        """
        main_theme = self._draw_index(len(self._words))
        first, last = self._genre.years
        year = last - int((last - first) * self._random.random() ** 2)
        written: list[SyntheticItem] = []
        while len(written) < max_items:
            stays = self._random.random() < 0.85
            theme = main_theme if stays else self._draw_index(len(self._words))
            size = min(max_items - len(written), 2 + self._draw_index(6))
            in_series = size > 1 and self._random.random() < self._genre.series_share
            work = self._write_series(theme, size) if in_series else []
            series = work[0] if work else None
            for volume, title in enumerate(work[1:] or [self._take_single_title(theme)], start=1):
                written.append(
                    SyntheticItem(
                        title=f"{title.text} ({series.text}, #{volume})" if series else title.text,
                        author=author.name,
                        series=series.text if series else None,
                        year=year,
                        text=self._write_blurb(theme, title, series, volume),
                        genre=self._number,
                        theme=self._first_theme + theme,
                        work=first_work + len(written) - (volume - 1),
                        volume=volume if series else 0,
                    )
                )
                year += self._draw_index(3) if series else 1 + self._draw_index(3)
        shift = max(0, written[-1].year + self._draw_index(6) - LAST_YEAR)
        return [replace(item, year=item.year - shift) for item in written]

    def _write_series(self, theme: int, size: int) -> list[_Title]:
        """Takes the name of a series and the titles of its volumes; empty if titles ran out."""
        name = self._take(self._series[theme], {})
        if name is None:
            return []
        words = self._words[theme]
        fixed_words = dict(name.slots)
        for slot in ("lead", "place"):  # hero and place are the same in all volumes
            if slot in words and slot not in fixed_words:
                fixed_words[slot] = self._pick_word(words[slot])
        titles = [self._take(self._volumes[theme], fixed_words) for _ in range(size)]
        volumes = [_Title(title.text, {**fixed_words, **title.slots}) for title in titles if title]
        return [name, *volumes] if len(volumes) > 1 else []

    def _take_single_title(self, theme: int) -> _Title:
        """Takes a title of the theme, or of the next theme that still has one."""
        for offset in range(len(self._words)):
            title = self._take(self._singles[(theme + offset) % len(self._words)], {})
            if title is not None:
                return title
        raise AssertionError(f"too few titles for the genre {self._genre.name}")

    def _take(self, titles: list[_Title], fixed_words: Mapping[str, str]) -> _Title | None:
        """Removes and returns the next unused title that matches the words of `fixed_words`."""
        for position, title in enumerate(titles):
            if title.matches(fixed_words) and title.text not in self._used_titles:
                self._used_titles.add(title.text)
                return titles.pop(position)
        return None

    def _fill_patterns(self, patterns: tuple[str, ...], words: Words) -> list[_Title]:
        """Fills the patterns in all ways, shuffled so that patterns come up equally often."""
        order: list[tuple[float, _Title]] = []
        for pattern in patterns:
            slots = _find_slots(pattern)
            combinations = list(itertools.product(*(words[slot] for slot in slots)))
            ranks = np.argsort(self._random.random(len(combinations)), kind="stable")
            keys = (ranks + self._random.random()).tolist()
            for key, words_of_slots in zip(keys, combinations, strict=True):
                word_of_slot = dict(zip(slots, words_of_slots, strict=True))
                text = _format_sentences(pattern.format(**word_of_slot))
                if not _has_repeated_word(text):
                    order.append((key, _Title(text, word_of_slot)))
        order.sort(key=lambda pair: pair[0])
        return [title for _, title in order]

    def _write_blurb(self, theme: int, title: _Title, series: _Title | None, volume: int) -> str:
        """Writes two sentences and the volume of the series; tries to avoid repetition."""
        words = self._words[theme]
        for _ in range(8):
            pattern = self._pick_word(self._genre.blurbs)
            slots = {
                slot: title.slots.get(slot) or self._pick_word(words[slot])
                for slot in _find_slots(pattern)
            }
            text = _format_sentences(pattern.format(**slots))
            if text not in self._blurbs:
                break
        self._blurbs.add(text)
        return f"{text} Book {volume} of {series.text}." if series else text

    def _pick_word(self, words: tuple[str, ...]) -> str:
        """Picks a random word."""
        return words[self._draw_index(len(words))]

    def _draw_index(self, size: int) -> int:
        """Draws a random index 0..size-1."""
        return int(self._random.random() * size)


def _find_slots(pattern: str) -> list[str]:
    """Returns the slots of a pattern in order, each once."""
    return list(dict.fromkeys(re.findall(r"{(\w+)}", pattern)))


def _format_sentences(text: str) -> str:
    """Capitalizes the first letter of sentences, and writes "an" before a vowel."""
    text = re.sub(r"\b([Aa]) (?=[AEIOaeio])", r"\1n ", text)
    return re.sub(r"(^|[.!?] )(\w)", lambda match: match[1] + match[2].upper(), text)


def _has_repeated_word(title: str) -> bool:
    """Returns whether a title has a word twice, ignoring case, plural and short words."""
    words = [word.rstrip("s") for word in re.findall(r"[^\W\d_]{4,}", title.lower())]
    return len(words) != len(dict.fromkeys(words))

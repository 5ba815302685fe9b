"""The readers of the synthetic bookshop: what they like, and which book they take next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.synthetic.books import LAST_YEAR, SyntheticItem
from kd_tf.data.synthetic.words import GENRES

MIN_LENGTH, MEDIAN_LENGTH, MAX_LENGTH = 8, 25, 120
"""Books in a history."""
LENGTH_SPREAD = 0.62
"""Standard deviation of the logarithm of a history's length."""

LOG_START, LOG_END = 1514764800, 1735689600
"""The shop's log runs from 2018-01-01 to 2024-12-31, in seconds since 1970."""

POPULARITY_EXPONENT = 1.0
"""Within a genre the book of rank r is chosen in proportion to 1 / (r + 3), as in Zipf's law."""
NOISE_RATE = 0.09
"""Share of choices that have nothing to do with the reader's taste: presents, bestsellers."""
SAME_THEME_RATE = 0.7
"""Chance that the next book is of the same theme as the one before, where nothing else decides."""
AUTHOR_RATE = 0.16
"""Chance to take a book by the author just read, or by a favourite one."""
SERIES_DROP_RATE = 0.08
"""Chance, a book, that a reader gives up the series that is under way."""
OUT_OF_ORDER_RATE = 0.04
"""Chance that a reader begins in the middle of a series or leaves out a volume."""


class UserSimulator:
    """Lets readers choose one book after the other, all readers side by side.

    Args:
        shelf: The books.
        random: Draws everything.
    """

    def __init__(self, items: list[SyntheticItem], random: np.random.Generator) -> None:
        self._random = random
        self._num_items = len(items)
        self._genre = np.array([item.genre for item in items])
        self._theme = np.array([item.theme for item in items])
        self._year = np.array([item.year for item in items])
        self._volume = np.array([item.volume for item in items])
        self._author = _encode_labels([item.author for item in items])
        self._work = _encode_labels([item.work for item in items])
        # volumes[w, v] is volume v of work w, a single book is volume 0; -1: there is none.
        self._volumes = np.full((self._work.max() + 1, self._volume.max() + 2), -1)
        self._volumes[self._work, self._volume] = np.arange(self._num_items)
        weight = self._draw_popularity()
        self._by_theme = _GroupSampler(self._theme, weight)
        self._by_author = _GroupSampler(self._author, weight)
        self._by_anything = _GroupSampler(np.zeros(self._num_items, int), weight)

    def _draw_popularity(self) -> np.ndarray:
        """float [V]: Zipf's law within each genre, by the fame of author and work."""
        author_fame = self._random.standard_normal(self._author.max() + 1)
        work_fame = self._random.standard_normal(self._work.max() + 1)
        item_fame = self._random.standard_normal(self._num_items)
        fame = author_fame[self._author] + work_fame[self._work] + 0.4 * item_fame
        weight = np.empty(self._num_items)
        for number, genre in enumerate(GENRES):
            items = np.flatnonzero(self._genre == number)
            ranked = items[np.argsort(-fame[items], kind="stable")]
            law = (np.arange(len(items)) + 3.0) ** -POPULARITY_EXPONENT
            weight[ranked] = genre.weight * law / law.sum()
        return weight

    def simulate(self, num_users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Everything that is read, by reader and time.

        Returns:
            Reader 0..readers-1, book 0..V-1 and time in seconds since 1970, each int64 [n].
        """
        lengths = self._draw_lengths(num_users)
        time = self._draw_times(lengths)
        taste = self._draw_tastes(num_users)
        history = np.full((num_users, lengths.max()), -1)
        # Longest histories first, so that those still reading are always the first rows.
        rows = np.argsort(-lengths, kind="stable")
        state = _State(
            theme=self._choose_theme(taste, np.arange(num_users)),
            author=self._author[self._by_anything.sample(np.zeros(num_users, int), self._random)],
            series=np.full(num_users, -1),
            progress=np.zeros((num_users, len(self._volumes)), np.int8),
        )
        for step in range(lengths.max()):
            active = rows[: np.count_nonzero(lengths > step)]
            now = time[active, step].astype("datetime64[s]")
            year = 1970 + now.astype("datetime64[Y]").astype(int)
            history[active, step] = self._choose_items(
                active, year, history[:, :step], taste, state
            )
        user, place = np.nonzero(history >= 0)
        return user, history[user, place], time[user, place]

    def _draw_lengths(self, num_users: int) -> np.ndarray:
        """int [readers], log-normal; a reader never buys more than a quarter of the shop."""
        drawn = MEDIAN_LENGTH * np.exp(LENGTH_SPREAD * self._random.standard_normal(num_users))
        longest = min(MAX_LENGTH, self._num_items // 4)
        return np.clip(np.round(drawn), MIN_LENGTH, longest).astype(int)

    def _draw_times(self, lengths: np.ndarray) -> np.ndarray:
        """int64 [readers, longest], strictly increasing within the years of the log."""
        users, longest = len(lengths), int(lengths.max())
        gaps = -np.log1p(-self._random.random((users, longest)))
        passed = np.cumsum(gaps, axis=1)
        passed /= passed[np.arange(users), lengths - 1][:, None]
        span = LOG_END - LOG_START - longest
        # From one to three weeks a book, within what the log leaves.
        stay = np.minimum(lengths * (7 + 14 * self._random.random(users)) * 86400, 0.98 * span)
        begin = LOG_START + (span - stay) * self._random.random(users)
        seconds = np.floor(begin[:, None] + stay[:, None] * np.minimum(passed, 1.0))
        return seconds.astype(np.int64) + np.arange(longest)

    def _draw_tastes(self, num_users: int) -> _Taste:
        """One to three genres a reader, related ones more often, and uneven themes in them."""
        weights = np.array([genre.weight for genre in GENRES])
        affinity = np.array(
            [
                [6.0 if other.name in genre.related_genres else 1.0 for other in GENRES]
                for genre in GENRES
            ]
        )
        rows = np.arange(num_users)
        first = _pick(np.tile(weights, (num_users, 1)), self._random)
        near = weights * affinity[first]
        near[rows, first] = 0.0
        second = _pick(near, self._random)
        near[rows, second] = 0.0
        third = _pick(near, self._random)
        amount = np.searchsorted([0.15, 0.55], self._random.random(num_users)) + 1
        genre_weight = np.zeros((num_users, len(GENRES)))
        share = self._random.standard_gamma(1.2, (num_users, 3)) + 0.1
        for place, genre in enumerate((first, second, third)):
            genre_weight[rows, genre] += np.where(amount > place, share[:, place], 0.0)
        themes = [number for number, genre in enumerate(GENRES) for _ in genre.themes]
        theme_share = self._random.standard_gamma(0.6, (num_users, len(themes))) + 0.02
        theme_weight = genre_weight[:, themes] * theme_share
        present = np.zeros(len(themes), bool)
        present[self._theme] = True  # a small shop has no book on some themes
        theme_weight[:, ~present] = 0.0
        favourites = [self._draw_favourite_author(theme_weight) for _ in range(3)]
        return _Taste(
            theme=theme_weight,
            authors=np.stack(favourites, axis=1),
            loyalty=0.2 + 0.45 * self._random.random(num_users),
            era=np.searchsorted([0.6, 0.8], self._random.random(num_users)),
        )

    def _draw_favourite_author(self, theme_weight: np.ndarray) -> np.ndarray:
        theme = _pick(theme_weight, self._random)
        return self._author[self._by_theme.sample(theme, self._random)]

    def _choose_theme(self, taste: _Taste, users: np.ndarray) -> np.ndarray:
        return _pick(taste.theme[users], self._random)

    def _choose_items(
        self,
        users: np.ndarray,
        year: np.ndarray,
        history: np.ndarray,
        taste: _Taste,
        state: _State,
    ) -> np.ndarray:
        """int [n], the next book of each of `readers` [n]; moves `state` on.

        Args:
            readers: Who reads on.
            year: The year in which each of them does.
            history: int [all readers, step], what was read so far.
            taste: Of all readers.
            state: Of all readers.
        """
        random = self._random
        count = len(users)
        chosen = np.full(count, -1)
        is_noise = random.random(count) < NOISE_RATE

        # A series under way goes on, unless the reader is not in the mood or has given it up.
        state.series[users[random.random(count) < SERIES_DROP_RATE]] = -1
        series = state.series[users]
        following = self._volumes[series, state.progress[users, series] + 1]
        goes_on = (series >= 0) & (following >= 0) & ~is_noise
        goes_on &= (self._year[following] <= year) & (random.random(count) < taste.loyalty[users])
        chosen[goes_on] = following[goes_on]

        # Otherwise an author, the theme of the moment, or a new one.
        turns = ~goes_on & ~is_noise & (random.random(count) > SAME_THEME_RATE)
        state.theme[users[turns]] = self._choose_theme(taste, users[turns])
        by_author = ~turns & ~is_noise & (random.random(count) < AUTHOR_RATE)
        favourite = taste.authors[users, (random.random(count) * 3).astype(int)]
        author = np.where(random.random(count) < 0.6, state.author[users], favourite)

        left = np.flatnonzero(chosen < 0)
        for attempt in range(16):
            if not len(left):
                break
            who = users[left]
            item = self._by_theme.sample(state.theme[who], random)
            other = by_author[left] & (attempt < 3)
            item[other] = self._by_author.sample(author[left[other]], random)
            # Whoever has read all that a theme offers takes anything.
            other = is_noise[left] | (attempt >= 8)
            item[other] = self._by_anything.sample(np.zeros(np.count_nonzero(other), int), random)
            item, in_order = self._redirect_to_next_volume(item, who, state)
            fits = (
                in_order
                & (self._year[item] <= year[left])
                & (history[who] != item[:, None]).all(axis=1)
                & (random.random(len(left)) < self._compute_era_appeal(taste.era[who], item))
            )
            chosen[left[fits]] = item[fits]
            left = left[~fits]
        for place in left.tolist():
            chosen[place] = self._find_oldest_unread(history[users[place]])

        work, volume = self._work[chosen], self._volume[chosen]
        begun = (volume > 0) & ~is_noise
        state.series[users[begun]] = work[begun]
        progress = state.progress[users, work]
        state.progress[users, work] = np.maximum(progress, volume).astype(np.int8)
        state.author[users[~is_noise]] = self._author[chosen[~is_noise]]
        state.theme[users[by_author]] = self._theme[chosen[by_author]]
        return chosen

    def _redirect_to_next_volume(
        self, item: np.ndarray, users: np.ndarray, state: _State
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whoever takes a volume of a series takes the one that comes next.

        Returns:
            The books, and where there is none that comes next: false.
        """
        work, volume = self._work[item], self._volume[item]
        following = self._volumes[work, state.progress[users, work] + 1]
        jumps = self._random.random(len(item)) < OUT_OF_ORDER_RATE
        ahead = volume > state.progress[users, work]
        redirected = (volume > 0) & ~(jumps & ahead)
        return np.where(redirected, np.maximum(following, 0), item), ~redirected | (following >= 0)

    def _compute_era_appeal(self, era: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float [n], how a book's age suits readers of everything (0), classics (1), news (2)."""
        year = self._year[item]
        return np.select(
            [(era == 1) & (year > 1995), (era == 2) & (year < 1995)], [0.35, 0.35], default=1.0
        )

    def _find_oldest_unread(self, history: np.ndarray) -> int:
        """What is left: for the one choice in thousands where nothing that was drawn fits."""
        unread = np.ones(self._num_items, bool)
        unread[history[history >= 0]] = False
        return int(np.argmin(np.where(unread, self._year, LAST_YEAR + 1)))


@dataclass(frozen=True)
class _Taste:
    """What stays the same about readers.

    Attributes:
        theme: float [readers, themes], how much each is drawn to a theme.
        authors: int [readers, 3], favourite authors.
        loyalty: float [readers], chance that the next book goes on with a series under way.
        era: int [readers], 0 reads everything, 1 rather classics, 2 rather new books.
    """

    theme: np.ndarray
    authors: np.ndarray
    loyalty: np.ndarray
    era: np.ndarray


@dataclass
class _State:
    """What changes from book to book; arrays over all readers.

    Attributes:
        theme: int [readers], what they are reading about at the moment.
        author: int [readers], who wrote the last book.
        series: int [readers], the work under way, -1 for none.
        progress: int8 [readers, works], the last volume read.
    """

    theme: np.ndarray
    author: np.ndarray
    series: np.ndarray
    progress: np.ndarray


class _GroupSampler:
    """Draws books from groups (themes, authors), each book in proportion to its weight.

    Args:
        group: int [V], the group of each book, 0..G-1.
        weight: float [V], above 0.
    """

    def __init__(self, group: np.ndarray, weight: np.ndarray) -> None:
        self._order = np.argsort(group, kind="stable")
        self._cumulative = np.cumsum(weight[self._order])
        ends = np.cumsum(np.bincount(group))
        total = np.concatenate([[0.0], self._cumulative])
        self._low, self._high = total[np.concatenate([[0], ends[:-1]])], total[ends]
        self.weight = self._high - self._low
        """float [G], the weight of each group as a whole."""

    def sample(self, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """int [n], a book of each of the (non-empty) groups in `group` [n]."""
        low, high = self._low[group], self._high[group]
        point = low + (high - low) * random.random(len(group))
        position = np.searchsorted(self._cumulative, point, side="right")
        return self._order[np.minimum(position, len(self._order) - 1)]


def _pick(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """int [n], one column of each row of `weights` [n, k], in proportion to it."""
    cumulative = np.cumsum(weights, axis=1)
    point = cumulative[:, -1] * random.random(len(weights))
    return np.minimum((cumulative <= point[:, None]).sum(axis=1), weights.shape[1] - 1)


def _encode_labels(values: list[str] | list[int]) -> np.ndarray:
    """int [n], the number of each value in the order of first appearance."""
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values])

"""Simulates the users of the synthetic bookshop: their tastes and the items they choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.synthetic.books import LAST_YEAR, SyntheticItem
from kd_tf.data.synthetic.words import GENRES

MIN_LENGTH, MEDIAN_LENGTH, MAX_LENGTH = 8, 25, 120
"""Number of items in a history."""
LENGTH_SPREAD = 0.62
"""Standard deviation of the logarithm of a history's length."""

LOG_START, LOG_END = 1514764800, 1735689600
"""Time range of the interactions: 2018-01-01 to 2024-12-31, in seconds since 1970."""

POPULARITY_EXPONENT = 1.0
"""Within a genre the item of rank r has the probability weight 1 / (r + 3), as in Zipf's law."""
NOISE_RATE = 0.09
"""Share of choices that are independent of the user's taste: presents, bestsellers."""
SAME_THEME_RATE = 0.7
"""Probability that the next item has the theme of the last one, if no other rule applies."""
AUTHOR_RATE = 0.16
"""Probability of an item by the last author, or by a favourite author."""
SERIES_DROP_RATE = 0.08
"""Probability, per item, that a user drops the current series."""
OUT_OF_ORDER_RATE = 0.04
"""Probability that a user begins in the middle of a series or skips a volume."""


class UserSimulator:
    """Simulates users who choose one item after another, all users in parallel.

    Args:
        items: The items.
        random: Random generator.

    Attributes:
        theme_weights: float [users, themes], how much each user likes each theme; set by
            `simulate`.
    """

    theme_weights: np.ndarray

    def __init__(self, items: list[SyntheticItem], random: np.random.Generator) -> None:
        self._random = random
        self._num_items = len(items)
        self._genre = np.array([item.genre for item in items])
        self._theme = np.array([item.theme for item in items])
        self._year = np.array([item.year for item in items])
        self._volume = np.array([item.volume for item in items])
        self._author = _encode_labels([item.author for item in items])
        self._work = _encode_labels([item.work for item in items])
        # volumes[w, v] is volume v of work w; a single book is volume 0; -1 where there is none.
        self._volumes = np.full((self._work.max() + 1, self._volume.max() + 2), -1)
        self._volumes[self._work, self._volume] = np.arange(self._num_items)
        weight = self._draw_popularity()
        self._by_theme = _GroupSampler(self._theme, weight)
        self._by_author = _GroupSampler(self._author, weight)
        self._by_anything = _GroupSampler(np.zeros(self._num_items, int), weight)

    def _draw_popularity(self) -> np.ndarray:
        """Draws item weights, float [V]: Zipf's law in each genre, by fame of author and work."""
        author_fame = self._random.standard_normal(self._author.max() + 1)
        work_fame = self._random.standard_normal(self._work.max() + 1)
        item_fame = self._random.standard_normal(self._num_items)
        fame = author_fame[self._author] + work_fame[self._work] + 0.4 * item_fame
        weight = np.empty(self._num_items)
        for number, genre in enumerate(GENRES):
            items = np.flatnonzero(self._genre == number)
            ranked_items = items[np.argsort(-fame[items], kind="stable")]
            zipf = (np.arange(len(items)) + 3.0) ** -POPULARITY_EXPONENT
            weight[ranked_items] = genre.weight * zipf / zipf.sum()
        return weight

    def simulate(self, num_users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Simulates all interactions, sorted by user and time.

        Returns:
            User 0..num_users-1, item 0..V-1 and time in seconds since 1970, each int64 [n].
        """
        lengths = self._draw_lengths(num_users)
        time = self._draw_times(lengths)
        taste = self._draw_tastes(num_users)
        self.theme_weights = taste.theme
        history = np.full((num_users, lengths.max()), -1)
        # Longest histories first, so that the active users are always the first rows.
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
        user, position = np.nonzero(history >= 0)
        return user, history[user, position], time[user, position]

    def _draw_lengths(self, num_users: int) -> np.ndarray:
        """Draws history lengths, int [users], log-normal, at most a quarter of the catalog."""
        lengths = MEDIAN_LENGTH * np.exp(LENGTH_SPREAD * self._random.standard_normal(num_users))
        longest = min(MAX_LENGTH, self._num_items // 4)
        return np.clip(np.round(lengths), MIN_LENGTH, longest).astype(int)

    def _draw_times(self, lengths: np.ndarray) -> np.ndarray:
        """Draws timestamps, int64 [users, longest], strictly increasing per user."""
        num_users, longest = len(lengths), int(lengths.max())
        gaps = -np.log1p(-self._random.random((num_users, longest)))
        elapsed_time = np.cumsum(gaps, axis=1)
        elapsed_time /= elapsed_time[np.arange(num_users), lengths - 1][:, None]
        span = LOG_END - LOG_START - longest
        # One to three weeks per item, limited by the time range.
        days_per_item = 7 + 14 * self._random.random(num_users)
        duration = np.minimum(lengths * days_per_item * 86400, 0.98 * span)
        begin = LOG_START + (span - duration) * self._random.random(num_users)
        seconds = np.floor(begin[:, None] + duration[:, None] * np.minimum(elapsed_time, 1.0))
        return np.asarray(seconds.astype(np.int64) + np.arange(longest))

    def _draw_tastes(self, num_users: int) -> _Taste:
        """Draws one to three genres per user, often related ones, and uneven theme weights."""
        weights = np.array([genre.weight for genre in GENRES])
        affinity = np.array(
            [
                [6.0 if other.name in genre.related_genres else 1.0 for other in GENRES]
                for genre in GENRES
            ]
        )
        rows = np.arange(num_users)
        first = _pick(np.tile(weights, (num_users, 1)), self._random)
        weights_of_next = weights * affinity[first]
        weights_of_next[rows, first] = 0.0
        second = _pick(weights_of_next, self._random)
        weights_of_next[rows, second] = 0.0
        third = _pick(weights_of_next, self._random)
        num_genres = np.searchsorted([0.15, 0.55], self._random.random(num_users)) + 1
        genre_weight = np.zeros((num_users, len(GENRES)))
        share = self._random.standard_gamma(1.2, (num_users, 3)) + 0.1
        for index, genre in enumerate((first, second, third)):
            genre_weight[rows, genre] += np.where(num_genres > index, share[:, index], 0.0)
        themes = [number for number, genre in enumerate(GENRES) for _ in genre.themes]
        theme_share = self._random.standard_gamma(0.6, (num_users, len(themes))) + 0.02
        theme_weight = genre_weight[:, themes] * theme_share
        has_items = np.zeros(len(themes), bool)
        has_items[self._theme] = True  # a small catalog has no item of some themes
        theme_weight[:, ~has_items] = 0.0
        favourite_authors = [self._draw_favourite_author(theme_weight) for _ in range(3)]
        return _Taste(
            theme=theme_weight,
            authors=np.stack(favourite_authors, axis=1),
            loyalty=0.2 + 0.45 * self._random.random(num_users),
            era=np.searchsorted([0.6, 0.8], self._random.random(num_users)),
        )

    def _draw_favourite_author(self, theme_weight: np.ndarray) -> np.ndarray:
        """Draws the author of a random item of a favourite theme, int [users]."""
        theme = _pick(theme_weight, self._random)
        return np.asarray(self._author[self._by_theme.sample(theme, self._random)])

    def _choose_theme(self, taste: _Taste, users: np.ndarray) -> np.ndarray:
        """Draws a theme for each of `users` from their tastes, int [n]."""
        return _pick(taste.theme[users], self._random)

    def _choose_items(
        self,
        users: np.ndarray,
        year: np.ndarray,
        history: np.ndarray,
        taste: _Taste,
        state: _State,
    ) -> np.ndarray:
        """Chooses the next item of each of `users`, and updates `state`.

        Args:
            users: int [n], the active users.
            year: int [n], the year of each choice.
            history: int [all users, step], the items chosen so far.
            taste: Tastes of all users.
            state: States of all users.

        Returns:
            int [n], items.
        """
        random = self._random
        count = len(users)
        chosen_items = np.full(count, -1)
        is_noise = random.random(count) < NOISE_RATE

        # First, users may continue the current series, unless they drop it.
        state.series[users[random.random(count) < SERIES_DROP_RATE]] = -1
        series = state.series[users]
        next_volume = self._volumes[series, state.progress[users, series] + 1]
        continues = (series >= 0) & (next_volume >= 0) & ~is_noise
        continues &= self._year[next_volume] <= year
        continues &= random.random(count) < taste.loyalty[users]
        chosen_items[continues] = next_volume[continues]

        # Otherwise they choose an item by an author, of the current theme, or of a new theme.
        changes_theme = ~continues & ~is_noise & (random.random(count) > SAME_THEME_RATE)
        state.theme[users[changes_theme]] = self._choose_theme(taste, users[changes_theme])
        by_author = ~changes_theme & ~is_noise & (random.random(count) < AUTHOR_RATE)
        favourite = taste.authors[users, (random.random(count) * 3).astype(int)]
        author = np.where(random.random(count) < 0.6, state.author[users], favourite)

        rows = np.flatnonzero(chosen_items < 0)
        for attempt in range(16):
            if not len(rows):
                break
            user = users[rows]
            item = self._by_theme.sample(state.theme[user], random)
            mask = by_author[rows] & (attempt < 3)
            item[mask] = self._by_author.sample(author[rows[mask]], random)
            # A user who has all items of a theme takes any item.
            mask = is_noise[rows] | (attempt >= 8)
            item[mask] = self._by_anything.sample(np.zeros(np.count_nonzero(mask), int), random)
            item, in_order = self._redirect_to_next_volume(item, user, state)
            is_accepted = (
                in_order
                & (self._year[item] <= year[rows])
                & (history[user] != item[:, None]).all(axis=1)
                & (random.random(len(rows)) < self._compute_era_appeal(taste.era[user], item))
            )
            chosen_items[rows[is_accepted]] = item[is_accepted]
            rows = rows[~is_accepted]
        for row in rows.tolist():
            chosen_items[row] = self._find_oldest_unread(history[users[row]])

        work, volume = self._work[chosen_items], self._volume[chosen_items]
        in_series = (volume > 0) & ~is_noise
        state.series[users[in_series]] = work[in_series]
        progress = state.progress[users, work]
        state.progress[users, work] = np.maximum(progress, volume).astype(np.int8)
        state.author[users[~is_noise]] = self._author[chosen_items[~is_noise]]
        state.theme[users[by_author]] = self._theme[chosen_items[by_author]]
        return chosen_items

    def _redirect_to_next_volume(
        self, item: np.ndarray, users: np.ndarray, state: _State
    ) -> tuple[np.ndarray, np.ndarray]:
        """Replaces a volume of a series by the next one that the user has not read.

        Returns:
            The items int [n], and a bool mask [n] that is false where no next volume exists.
        """
        work, volume = self._work[item], self._volume[item]
        next_volume = self._volumes[work, state.progress[users, work] + 1]
        skips = self._random.random(len(item)) < OUT_OF_ORDER_RATE
        is_ahead = volume > state.progress[users, work]
        redirects = (volume > 0) & ~(skips & is_ahead)
        item = np.where(redirects, np.maximum(next_volume, 0), item)
        return item, ~redirects | (next_volume >= 0)

    def _compute_era_appeal(self, era: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Computes the acceptance probability of an item's year for each era, float [n]."""
        year = self._year[item]
        return np.select(
            [(era == 1) & (year > 1995), (era == 2) & (year < 1995)], [0.35, 0.35], default=1.0
        )

    def _find_oldest_unread(self, history: np.ndarray) -> int:
        """Finds the oldest unread item: for the few choices where all samples were rejected."""
        is_unread = np.ones(self._num_items, bool)
        is_unread[history[history >= 0]] = False
        return int(np.argmin(np.where(is_unread, self._year, LAST_YEAR + 1)))


@dataclass(frozen=True)
class _Taste:
    """The constant preferences of all users.

    Attributes:
        theme: float [users, themes], weight of each theme.
        authors: int [users, 3], favourite authors.
        loyalty: float [users], probability that the next item continues the current series.
        era: int [users], 0 for any item, 1 for mostly classics, 2 for mostly new items.
    """

    theme: np.ndarray
    authors: np.ndarray
    loyalty: np.ndarray
    era: np.ndarray


@dataclass
class _State:
    """The state of all users, which changes from item to item.

    Attributes:
        theme: int [users], current theme.
        author: int [users], author of the last item.
        series: int [users], current series, -1 for none.
        progress: int8 [users, works], last volume read.
    """

    theme: np.ndarray
    author: np.ndarray
    series: np.ndarray
    progress: np.ndarray


class _GroupSampler:
    """Samples items of a group (theme, author) in proportion to their weights.

    Args:
        group: int [V], the group of each item, 0..G-1.
        weight: float [V], the weight of each item, above 0.
    """

    def __init__(self, group: np.ndarray, weight: np.ndarray) -> None:
        self._order = np.argsort(group, kind="stable")
        self._cumulative = np.cumsum(weight[self._order])
        ends = np.cumsum(np.bincount(group))
        total = np.concatenate([[0.0], self._cumulative])
        self._low, self._high = total[np.concatenate([[0], ends[:-1]])], total[ends]
        self.weight = self._high - self._low
        """float [G], the total weight of each group."""

    def sample(self, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Samples an item of each of the (non-empty) groups in `group` [n], int [n]."""
        low, high = self._low[group], self._high[group]
        point = low + (high - low) * random.random(len(group))
        position = np.searchsorted(self._cumulative, point, side="right")
        return np.asarray(self._order[np.minimum(position, len(self._order) - 1)])


def _pick(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Samples a column of each row of `weights` [n, k] in proportion to it, int [n]."""
    cumulative = np.cumsum(weights, axis=1)
    point = cumulative[:, -1] * random.random(len(weights))
    position = (cumulative <= point[:, None]).sum(axis=1)
    return np.asarray(np.minimum(position, weights.shape[1] - 1))


def _encode_labels(values: list[str] | list[int]) -> np.ndarray:
    """Encodes values as integers in the order of first appearance, int [n]."""
    indices: dict[str | int, int] = {}
    return np.array([indices.setdefault(value, len(indices)) for value in values])

"""Generates impressions and ratings of the synthetic bookshop from known probabilities.

Whether a user clicks on a book depends on the columns one by one, on pairs of columns (genre and
age group, hour and device, price and age group), on a taste that only the user's other rows show,
and on the position in the list. All of it is drawn from a seed, and every row's true probability is
known, so that tests know the best metrics that any model can reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit, ndtr

from kd_tf import atomic
from kd_tf.data.synthetic.books import SyntheticItem, generate_items
from kd_tf.data.synthetic.bookshop import MAX_ITEMS, MIN_ITEMS, MIN_USERS
from kd_tf.data.synthetic.words import GENRES
from kd_tf.errors import UserError

AGE_GROUPS = ("under 18", "18-25", "26-35", "36-50", "51-65", "over 65")
DEVICES = ("phone", "tablet", "desktop")
LANGUAGES = ("en", "de", "fr", "es", "zh")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LIST_LENGTH = 10
"""Number of books that a visit shows, at positions 1 to 10."""
MIN_ROWS = 1000

MISSING_AGE_RATE = 0.04
"""Share of the users whose age group is not known. They have one, which the truth depends on."""
SALE_RATE, SALE_DISCOUNT = 0.1, 0.25
"""Share of the rows in which the book is cheaper than usual, and by how much."""

TASTE_DIM = 2
CLICK_INTERCEPT = -0.6
RATING_MEAN, RATING_SCALE, RATING_NOISE = 3.7, 0.45, 0.75
"""Mean of the stars, stars per unit of `_Shop.compute_appeal`, and standard deviation of what no
column tells."""

START_TIME = 1_704_067_200  # 2024-01-01, a Monday
NUM_DAYS = 91


@dataclass(frozen=True, eq=False)
class SyntheticLog:
    """A table with a label, and the truth that it was drawn from.

    Attributes:
        frame: The rows, in the order of time. Column ``clicked`` (0 or 1) or ``stars`` (1 to 5) is
            the label.
        truth: float64 [n], the probability of a click, or the expected stars. No model can predict
            better.
        books: The catalog: item, title, authors, genre (``a|b`` for several), year and the usual
            price.
    """

    frame: pl.DataFrame
    truth: np.ndarray
    books: pl.DataFrame


def generate_clicks(
    *, num_impressions: int = 100_000, num_users: int = 200, num_items: int = 300, seed: int = 42
) -> SyntheticLog:
    """Generates a log of the books that users were shown, and which of them they clicked on.

    Books are those of `generate_bookshop` with as many items and the same seed. A visit shows
    `LIST_LENGTH` books to a user; a click needs that the user looks at the position (less often
    further down, above all on phones), and then that the book appeals.
    On test rows of the default log the AUC of the truth is .84, that of gradient-boosted trees
    .79, and that of a logistic regression .68, which knows no pairs of columns.
    Source of this position bias: Craswell et al., "An experimental comparison of click
    position-bias models", 2008 (examination hypothesis).

    Args:
        num_impressions: Number of rows, at least `MIN_ROWS`.
        num_users: Number of users, at least `MIN_USERS`.
        num_items: Number of books, `MIN_ITEMS` to `MAX_ITEMS`.
        seed: Seed of all draws.

    Returns:
        Rows with timestamp (seconds since 1970), weekday, hour, device, user, age_group (null where
        unknown), language, position, item, price, genre (``a|b`` for several) and clicked.

    Raises:
        UserError: An argument is out of range.

    Example:
        >>> log = generate_clicks(num_impressions=2000, num_users=50, num_items=100)
        >>> log.frame.shape, bool(abs(log.frame["clicked"].mean() - log.truth.mean()) < 0.05)
        ((2000, 12), True)
    """
    random = _check_sizes(num_impressions, num_users, num_items, seed, "impressions")
    shop = _Shop(num_users, num_items, random)
    num_visits = -(-num_impressions // LIST_LENGTH)
    visit = np.repeat(np.arange(num_visits), LIST_LENGTH)[:num_impressions]
    user = shop.draw_users(num_visits)[visit]
    hour_of_visit = random.choice(24, num_visits, p=_HOUR_SHARES)
    device = shop.draw_devices(user[::LIST_LENGTH], hour_of_visit)[visit]
    day = np.sort(random.integers(0, NUM_DAYS, num_visits))
    second = START_TIME + day * 86400 + hour_of_visit * 3600 + random.integers(0, 3600, num_visits)
    hour, position = hour_of_visit[visit], np.tile(np.arange(LIST_LENGTH), num_visits)
    position = position[:num_impressions]
    item = shop.draw_lists(num_visits).ravel()[:num_impressions]
    price = shop.draw_prices(item)
    appeal = shop.compute_appeal(user, item, price) + _HOUR_DEVICE_APPEAL[hour // 6, device]
    examination = 1 / (1 + _POSITION_DECAY[device] * position)
    truth = examination * expit(CLICK_INTERCEPT + appeal)
    frame = pl.DataFrame(
        {
            "timestamp": second[visit],
            "weekday": _select_words(WEEKDAYS, (day % 7)[visit]),
            "hour": hour,
            "device": _select_words(DEVICES, device),
            **shop.describe_users(user),
            "position": position + 1,
            **shop.describe_items(item, price),
            "clicked": (random.random(num_impressions) < truth).astype(np.int64),
        }
    )
    return _sort_by_time(SyntheticLog(frame, truth, shop.books))


def generate_ratings(
    *, num_ratings: int = 20_000, num_users: int = 200, num_items: int = 300, seed: int = 42
) -> SyntheticLog:
    """Generates ratings of 1 to 5 stars; no user rates a book twice.

    The stars are a normal number, rounded and cut off at 1 and 5, whose mean is the same appeal
    that `generate_clicks` has.

    Args:
        num_ratings: Number of rows, at least `MIN_ROWS` and at most half of all pairs of user and
            book.
        num_users: Number of users, at least `MIN_USERS`.
        num_items: Number of books, `MIN_ITEMS` to `MAX_ITEMS`.
        seed: Seed of all draws.

    Returns:
        Rows with timestamp, user, age_group, language, item, price, genre and stars.

    Raises:
        UserError: An argument is out of range.

    Example:
        >>> log = generate_ratings(num_ratings=2000, num_users=50, num_items=100)
        >>> sorted(log.frame["stars"].unique()), log.frame.width
        ([1, 2, 3, 4, 5], 8)
    """
    random = _check_sizes(num_ratings, num_users, num_items, seed, "ratings")
    if num_ratings > num_users * num_items // 2:
        raise UserError(
            f"{num_users} users rate at most half of {num_items} books each: "
            f"{num_users * num_items // 2} ratings, not {num_ratings}"
        )
    shop = _Shop(num_users, num_items, random)
    user, item = shop.draw_pairs(num_ratings)
    price = shop.draw_prices(item)
    mean = RATING_MEAN + RATING_SCALE * shop.compute_appeal(user, item, price)
    # P(stars > k) = P(noise > k + 1/2 - mean), and the expectation is 1 + their sum over k = 1..4.
    thresholds = np.arange(1, 5) + 0.5
    truth = 1 + ndtr((mean[:, None] - thresholds) / RATING_NOISE).sum(axis=1)
    noise = RATING_NOISE * random.standard_normal(num_ratings)
    frame = pl.DataFrame(
        {
            "timestamp": START_TIME + random.integers(0, NUM_DAYS * 86400, num_ratings),
            **shop.describe_users(user),
            **shop.describe_items(item, price),
            "stars": np.searchsorted(thresholds, mean + noise) + 1,
        }
    )
    return _sort_by_time(SyntheticLog(frame, truth, shop.books))


def write_log(log: SyntheticLog, folder: Path, name: str) -> None:
    """Writes ``books.csv`` and the rows as ``{name}.csv``, without the truth, into a folder.

    Args:
        log: From `generate_clicks` or `generate_ratings`.
        folder: Created if it does not exist.
        name: For example ``clicks``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stem, frame in ((name, log.frame), ("books", log.books)):
        atomic.write_text(folder / f"{stem}.csv", frame.write_csv())


_HOUR_WEIGHTS = np.array(
    [2, 1, 1, 1, 1, 2, 4, 6, 6, 5, 5, 6, 7, 6, 5, 5, 6, 7, 8, 10, 12, 12, 9, 5]
)
_HOUR_SHARES = _HOUR_WEIGHTS / _HOUR_WEIGHTS.sum()

_HOUR_DEVICE_APPEAL = np.array(
    [
        [1.2, -0.6, -0.6],
        [-1.0, -0.4, 1.2],
        [0.7, -0.5, -0.2],
        [-0.9, 1.4, -0.4],
    ]
)
"""Appeal by quarter of the day (night, morning, afternoon, evening) and device."""

_POSITION_DECAY = np.array([0.22, 0.12, 0.06])
"""How fast users of each device stop looking: P(looks) = 1 / (1 + decay * (position - 1))."""


class _Shop:
    """The books, the users and what appeals to whom.

    Args:
        num_users: Number of users.
        num_items: Number of books.
        random: Random generator; the books are its first draws, as in `generate_bookshop`.
    """

    def __init__(self, num_users: int, num_items: int, random: np.random.Generator) -> None:
        self._random = random
        items = generate_items(num_items, random)
        self._draw_items(items)
        self._draw_users(num_users)
        self._genre_age = _remove_means(random.standard_normal((len(GENRES), len(AGE_GROUPS))))
        self.books = pl.DataFrame(
            {
                "item": _make_ids("bk", num_items, 5),
                "title": [item.title for item in items],
                "authors": [item.author for item in items],
                "genre": self._genre_names,
                "year": [item.year for item in items],
                "price": self._price,
            }
        )

    def _draw_items(self, items: list[SyntheticItem]) -> None:
        random, num_items = self._random, len(items)
        names = [genre.name for genre in GENRES]
        first = np.array([item.genre for item in items])
        second = np.array(
            [
                names.index(GENRES[genre].related_genres[index])
                for genre, index in zip(first, random.integers(0, 3, num_items), strict=True)
            ]
        )
        second = np.where(random.random(num_items) < 0.4, second, first)
        self._genres = np.stack([first, second], axis=1)
        self._genre_names = [
            names[a] if a == b else f"{names[a]}|{names[b]}" for a, b in self._genres
        ]
        theme = np.array([item.theme for item in items])
        self._item_taste = (
            random.standard_normal((len(GENRES), TASTE_DIM))[self._genres].mean(axis=1)
            + 0.3 * random.standard_normal((theme.max() + 1, TASTE_DIM))[theme]
            + 0.15 * random.standard_normal((num_items, TASTE_DIM))
        )
        self._quality = 0.4 * random.standard_normal(num_items)
        self._price = np.round(np.exp(2.4 + 0.4 * random.standard_normal(num_items))) + 0.99
        rank = random.permutation(num_items)
        self._popularity = 1 / (rank + 20.0)  # below a tenth of the sum: a list has no book twice
        self._popularity /= self._popularity.sum()

    def _draw_users(self, num_users: int) -> None:
        random = self._random
        self._age = random.choice(len(AGE_GROUPS), num_users, p=[0.1, 0.2, 0.25, 0.2, 0.15, 0.1])
        self._is_age_missing = random.random(num_users) < MISSING_AGE_RATE
        self._language = random.choice(len(LANGUAGES), num_users, p=[0.4, 0.2, 0.15, 0.15, 0.1])
        self._user_taste = random.standard_normal((num_users, TASTE_DIM))
        self._user_appeal = 0.4 * random.standard_normal(num_users)
        self._device_shares = random.dirichlet([2.0, 1.0, 1.0], num_users)
        self._activity = random.standard_gamma(4.0, num_users)
        self._activity /= self._activity.sum()

    def draw_users(self, count: int) -> np.ndarray:
        """Draws users by their activity, int [count]."""
        return self._random.choice(len(self._activity), count, p=self._activity)

    def draw_devices(self, user: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """Draws the device of each visit, int [n]: desktops by day, tablets in the evening."""
        weight = np.array([[3, 1, 1], [2, 1, 3], [2, 1, 3], [2, 3, 1]])[hour // 6]
        cumulative = np.cumsum(self._device_shares[user] * weight, axis=1)
        point = self._random.random(len(user)) * cumulative[:, -1]
        return np.asarray((cumulative <= point[:, None]).sum(axis=1))

    def draw_lists(self, num_visits: int) -> np.ndarray:
        """Draws `LIST_LENGTH` different books per visit by popularity, int [visits, positions].

        Equidistant points on the cumulative popularity, from a random start (systematic sampling).
        """
        random = self._random
        points = (random.random((num_visits, 1)) + np.arange(LIST_LENGTH)) / LIST_LENGTH
        cumulative = np.cumsum(self._popularity)
        items = np.minimum(np.searchsorted(cumulative, points), len(cumulative) - 1)
        return random.permuted(items, axis=1)

    def draw_pairs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws different pairs of user and book by activity and popularity, each int [count]."""
        # The largest Gumbel-perturbed log weights are a weighted sample without replacement.
        keys = np.log(self._activity)[:, None] + np.log(self._popularity)
        keys = (keys + self._random.gumbel(size=keys.shape)).ravel()
        user, item = np.divmod(np.argpartition(-keys, count)[:count], len(self._popularity))
        return user, item

    def draw_prices(self, item: np.ndarray) -> np.ndarray:
        """Draws the price in each row, float [n]: that of the book, at times reduced."""
        is_sale = self._random.random(len(item)) < SALE_RATE
        price = self._price[item] * np.where(is_sale, 1 - SALE_DISCOUNT, 1.0)
        return np.asarray(np.round(price, 2))

    def compute_appeal(self, user: np.ndarray, item: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Computes how much a book at a price appeals to a user, float [n], on the logit scale."""
        age = self._age[user]
        genre_age = self._genre_age[self._genres[item], age[:, None]].mean(axis=1)
        taste = (self._user_taste[user] * self._item_taste[item]).sum(axis=1)
        # The young mind the price, the old do not.
        price_effect = (np.log(price) - 2.4) * np.linspace(-2.0, 0.6, len(AGE_GROUPS))[age]
        effects = self._user_appeal[user] + self._quality[item] + price_effect
        return np.asarray(effects + 2.0 * genre_age + 0.8 * taste)

    def describe_users(self, user: np.ndarray) -> dict[str, pl.Series]:
        """Returns the columns of the user of each row."""
        ages = pl.Series([AGE_GROUPS[age] for age in self._age], dtype=pl.String)
        ages = ages.set(pl.Series(self._is_age_missing), None)
        return {
            "user": _make_ids("reader", len(self._age), 4).gather(user),
            "age_group": ages.gather(user),
            "language": _select_words(LANGUAGES, self._language[user]),
        }

    def describe_items(self, item: np.ndarray, price: np.ndarray) -> dict[str, pl.Series]:
        """Returns the columns of the book of each row."""
        return {
            "item": _make_ids("bk", len(self._price), 5).gather(item),
            "price": pl.Series(price),
            "genre": pl.Series(self._genre_names).gather(item),
        }


def _check_sizes(
    num_rows: int, num_users: int, num_items: int, seed: int, rows: str
) -> np.random.Generator:
    """Checks the arguments and returns the random generator."""
    if num_rows < MIN_ROWS:
        raise UserError(f"a synthetic log has at least {MIN_ROWS} {rows}, not {num_rows}")
    if num_users < MIN_USERS:
        raise UserError(f"a synthetic log has at least {MIN_USERS} users, not {num_users}")
    if not MIN_ITEMS <= num_items <= MAX_ITEMS:
        raise UserError(f"a synthetic log has {MIN_ITEMS} to {MAX_ITEMS} items, not {num_items}")
    if seed < 0:
        raise UserError(f"seed must be 0 or more, not {seed}")
    return np.random.Generator(np.random.PCG64(seed))


def _remove_means(table: np.ndarray) -> np.ndarray:
    """Removes the means of rows and columns: what is left is no effect of either alone."""
    table = table - table.mean(axis=0)
    return np.asarray(table - table.mean(axis=1, keepdims=True))


def _make_ids(prefix: str, count: int, digits: int) -> pl.Series:
    return pl.Series([f"{prefix}-{number:0{digits}d}" for number in range(1, count + 1)])


def _select_words(words: tuple[str, ...], index: np.ndarray) -> pl.Series:
    return pl.Series(words).gather(index)


def _sort_by_time(log: SyntheticLog) -> SyntheticLog:
    order = np.argsort(log.frame["timestamp"].to_numpy(), kind="stable")
    return SyntheticLog(log.frame[order], log.truth[order], log.books)

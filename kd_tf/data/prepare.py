"""From a data set to a checked split: cleaning, a protocol, and a test for leaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np

from kd_tf.choices import ProtocolName
from kd_tf.data.clean import CleaningRules, CleaningStep, clean, describe_dropped_rows
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split
from kd_tf.data.splits.cold_items import COLD_ITEMS, split_cold_items
from kd_tf.data.splits.cold_users import COLD_USERS, DEFAULT_SHOWN_ITEMS, split_cold_users
from kd_tf.data.splits.folds import make_interaction_folds, make_user_folds
from kd_tf.data.splits.leakage import check_leakage
from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT, split_leave_one_out
from kd_tf.data.splits.low_rated import add_low_rated
from kd_tf.data.splits.published import PUBLISHED, split_as_published
from kd_tf.data.splits.random_holdout import RANDOM, split_random_holdout
from kd_tf.data.splits.temporal import TEMPORAL, split_by_time
from kd_tf.data.splits.unseen_users import UNSEEN_USERS, split_unseen_users
from kd_tf.data.splits.validation import hold_out_validation
from kd_tf.errors import UserError

MAX_TEST_USERS = 5000
"""Default maximum number of test users; more make no interval much narrower."""


@dataclass(frozen=True)
class SplitOptions:
    """How users and items are held out.

    Attributes:
        protocol: Name of the protocol; None takes ``published`` where the files have a split, and
            ``unseen-users`` elsewhere.
        test_users: Protocols of unseen users (unseen-users, cold-items, cold-users): number of test
            users; by default a fifth, at most 5,000.
        validation_users: Of the same protocols: by default half of `test_users`.
        held_out_share: Of the same protocols: share of a user's items that is held out.
        cold_items: cold-items: number of items without training interactions; by default a fifth.
        shown_items: cold-users: number of items that are shown of a test user at most.
        test_share: random, temporal: share of the interactions.
        validation_share: random, temporal: share of the interactions.
        num_folds: unseen-users, random: number of cross-validation folds; None makes one split.
        show_validation: published: whether models see the validation items during the test.
        keep_repeated: published: whether a pair that is in several parts stays in the training
            part; otherwise it is an error.

    Raises:
        UserError: There is no such protocol.
    """

    protocol: ProtocolName | None = None
    test_users: int | None = None
    validation_users: int | None = None
    held_out_share: float = 0.2
    cold_items: int | None = None
    shown_items: int = DEFAULT_SHOWN_ITEMS
    test_share: float = 0.2
    validation_share: float = 0.1
    num_folds: int | None = None
    show_validation: bool = False
    keep_repeated: bool = False

    def __post_init__(self) -> None:
        if self.protocol is not None and self.protocol not in get_args(ProtocolName):
            raise UserError(
                f"there is no protocol {self.protocol!r}",
                hint=f"Choose from {', '.join(get_args(ProtocolName))}.",
            )


@dataclass(frozen=True)
class PreparedData:
    """A cleaned and split data set.

    Attributes:
        dataset: The data set before cleaning.
        interactions: The interactions after cleaning.
        steps: Counts before and after each cleaning step, in order.
        splits: One split, or one per fold.

    Example:
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> prepared = prepare_splits(generate_bookshop(num_items=60, num_users=150))
        >>> prepared.split.num_items, len(prepared.split.test.histories)
        (60, 30)
    """

    dataset: Dataset
    interactions: Interactions
    steps: list[CleaningStep]
    splits: list[Split]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the cleaning, one sentence each."""
        return tuple(step.note for step in self.steps if step.note)

    @property
    def split(self) -> Split:
        """The only split.

        Raises:
            UserError: There are several folds.
        """
        if len(self.splits) > 1:
            raise UserError(
                "split.num_folds is for kd-tf baselines only: a run needs a single split",
                hint="Remove split.num_folds.",
            )
        return self.splits[0]


def split(
    dataset: Dataset,
    protocol: ProtocolName | None = None,
    *,
    seed: int = 42,
    cleaning: CleaningRules | None = None,
    test_users: int | None = None,
    validation_users: int | None = None,
    held_out_share: float = 0.2,
    cold_items: int | None = None,
    shown_items: int = DEFAULT_SHOWN_ITEMS,
    test_share: float = 0.2,
    validation_share: float = 0.1,
) -> Split:
    """Cleans a data set, splits it into training, validation and test, and checks for leaks.

    Args:
        dataset: The data set, such as that of `kd_tf.data.read_csv`.
        protocol: ``unseen-users`` (test users are not in training), ``cold-items`` (and some items
            are not either), ``cold-users`` (and little is shown of test users),
            ``leave-one-out``, ``temporal``, ``random`` or ``published``. The default is
            ``published`` where the files have a split, and ``unseen-users`` elsewhere.
        seed: Draws users and items, and whatever models draw later.
        cleaning: The cleaning rules; by default users with fewer than five items are removed, and
            fewer where few users would be left (`CleaningRules.min_user_interactions`).
        test_users: Number of test users that are not in training; by default a fifth, at most
            5,000, and at least one of two users.
        validation_users: Number of validation users that are not in training; by default half of
            the test users, and none of three users or fewer.
        held_out_share: Share of the items of such a user that is held out.
        cold_items: cold-items: number of items without training interactions; by default a fifth.
        shown_items: cold-users: number of items that are shown of a test user at most.
        test_share: random, temporal: share of the interactions.
        validation_share: random, temporal: share of the interactions.

    Returns:
        The split; a part of the training items is held out where there are no validation users.
        Of a few users the test part, and of a single one the validation part, may be empty.

    Raises:
        UserError: The data are too few, or a setting does not fit them.

    Example:
        >>> import kd_tf as kd
        >>> data = kd.data.bookshop(items=60, users=150, seed=1)
        >>> data_split = kd.split(data, protocol="unseen-users", seed=42)
        >>> len(data_split.train), len(data_split.validation.users), len(data_split.test.users)
        (105, 15, 30)
    """
    options = SplitOptions(
        protocol=protocol,
        test_users=test_users,
        validation_users=validation_users,
        held_out_share=held_out_share,
        cold_items=cold_items,
        shown_items=shown_items,
        test_share=test_share,
        validation_share=validation_share,
    )
    return ensure_validation_split(prepare_splits(dataset, cleaning, options, seed=seed).split)


def prepare_splits(
    dataset: Dataset,
    cleaning: CleaningRules | None = None,
    options: SplitOptions | None = None,
    *,
    seed: int = 42,
) -> PreparedData:
    """Cleans and splits the interactions, and checks the splits for leakage.

    Args:
        dataset: The data set.
        cleaning: The cleaning rules; None takes the defaults.
        options: The protocol; None takes the default one.
        seed: Draws users and items.

    Raises:
        UserError: A rule or an option does not fit the data.
    """
    options = options or SplitOptions()
    rules = _complete_rules(cleaning, dataset)
    interactions, steps = clean_interactions(dataset, cleaning, options)
    protocol = resolve_protocol(dataset, options)
    if protocol == PUBLISHED:
        assert dataset.split_labels is not None
        splits = [
            split_as_published(
                interactions,
                dataset.split_labels,
                show_validation=options.show_validation,
                on_repeated="keep-train" if options.keep_repeated else "stop",
            )
        ]
    else:
        splits = _split_interactions(interactions, protocol, options, seed)
        # Low ratings are evidence only where a user is in one part: under another protocol, or with
        # time limits, a low-rated item could lie in the future of a test target.
        if (
            protocol in _PROTOCOLS_OF_UNSEEN_USERS
            and rules.min_rating is not None
            and rules.since is None
            and rules.until is None
        ):
            splits = [
                add_low_rated(part, interactions, dataset.interactions, rules.min_rating)
                for part in splits
            ]
    for part in splits:
        check_leakage(part, interactions)
    splits = [
        dataclasses.replace(
            part,
            catalog=dataset.catalog,
            content=dataset.content,
            friendships=_renumber_friendships(dataset, interactions),
        )
        for part in splits
    ]
    return PreparedData(dataset, interactions, steps, splits)


def clean_interactions(
    dataset: Dataset, cleaning: CleaningRules | None = None, options: SplitOptions | None = None
) -> tuple[Interactions, list[CleaningStep]]:
    """Cleans the interactions; a published split is returned unchanged.

    Args:
        dataset: The data set.
        cleaning: The cleaning rules; None takes the defaults.
        options: The protocol; None takes the default one.

    Returns:
        The remaining interactions, and the counts of each cleaning step.

    Raises:
        UserError: A rule does not fit the data, or nothing is left.
    """
    steps = describe_dropped_rows(dataset)
    if resolve_protocol(dataset, options or SplitOptions()) == PUBLISHED:
        rules, defaults = cleaning or CleaningRules(), CleaningRules()
        for rule in dataclasses.fields(CleaningRules):
            if getattr(rules, rule.name) != getattr(defaults, rule.name):
                raise UserError(
                    f"a published split is not cleaned, but cleaning.{rule.name} is set",
                    hint="Remove it, or choose another protocol, which splits all rows anew.",
                )
        return dataset.interactions, steps
    interactions, cleaning_steps = clean(dataset.interactions, _complete_rules(cleaning, dataset))
    return interactions, steps + cleaning_steps


def _renumber_friendships(dataset: Dataset, interactions: Interactions) -> np.ndarray | None:
    """Returns the friendships between the users that are left after cleaning, by their indices."""
    if dataset.friendships is None:
        return None
    index = {name: number for number, name in enumerate(interactions.user_ids)}
    new_indices = np.array(
        [index.get(name, -1) for name in dataset.interactions.user_ids], np.int32
    )
    pairs = new_indices[dataset.friendships]
    return np.sort(pairs[(pairs >= 0).all(axis=1)], axis=1)


def resolve_protocol(dataset: Dataset, options: SplitOptions) -> str:
    """Returns the protocol of the options, or the default for this data set.

    Raises:
        UserError: The published split is asked for, and there is none.
    """
    has_split = dataset.split_labels is not None
    protocol = options.protocol or (PUBLISHED if has_split else UNSEEN_USERS)
    if protocol == PUBLISHED and not has_split:
        raise UserError(
            f"protocol {PUBLISHED} needs data with a published split",
            hint="Set --train and --test, or choose another protocol.",
        )
    return protocol


def ensure_validation_split(split: Split) -> Split:
    """Returns the split; holds out a part of the training data if it has no validation part."""
    return split if len(split.validation.histories) else hold_out_validation(split)


def _complete_rules(cleaning: CleaningRules | None, dataset: Dataset) -> CleaningRules:
    """Returns the rules with the data set's own default of the lowest rating that counts."""
    rules = cleaning or CleaningRules()
    if rules.min_rating is None and dataset.default_min_rating is not None:
        rules = dataclasses.replace(rules, min_rating=dataset.default_min_rating)
    return rules


_PROTOCOLS_OF_UNSEEN_USERS = (UNSEEN_USERS, COLD_ITEMS, COLD_USERS)


def _choose_num_unseen_users(num_users: int, options: SplitOptions) -> tuple[int, int]:
    """Returns the numbers of test and validation users; defaults leave two users for training.

    Of two users one is tested all the same: otherwise nothing at all could be measured.
    """
    test, validation = options.test_users, options.validation_users
    if test is None:
        test = max(num_users // 5, 1)
        test = min(test, MAX_TEST_USERS, max(num_users - (validation or 0) - 1, 0))
    if validation is None:
        # Where there are none, training items are held out instead (`ensure_validation_split`).
        validation = min(max(test // 2, 1), max(num_users - test - 2, 0))
    return test, validation


def _split_interactions(
    interactions: Interactions, protocol: str, options: SplitOptions, seed: int
) -> list[Split]:
    """Splits cleaned interactions; returns one split, or one per fold."""
    if protocol == UNSEEN_USERS and options.num_folds:
        return make_user_folds(
            interactions, options.num_folds, held_out_share=options.held_out_share, seed=seed
        )
    if protocol in _PROTOCOLS_OF_UNSEEN_USERS:
        test, validation = _choose_num_unseen_users(interactions.num_users, options)
        split_users: Callable[..., Split] = split_unseen_users
        if protocol == COLD_ITEMS:
            split_users = partial(split_cold_items, cold_items=options.cold_items)
        elif protocol == COLD_USERS:
            split_users = partial(split_cold_users, shown_items=options.shown_items)
        return [
            split_users(
                interactions,
                test_users=test,
                validation_users=validation,
                held_out_share=options.held_out_share,
                seed=seed,
            )
        ]
    if protocol == LEAVE_ONE_OUT:
        return [split_leave_one_out(interactions, seed=seed)]
    shares = {"test_share": options.test_share, "validation_share": options.validation_share}
    if protocol == TEMPORAL:
        return [split_by_time(interactions, **shares)]
    assert protocol == RANDOM
    if options.num_folds:
        return make_interaction_folds(interactions, options.num_folds, seed=seed)
    return [split_random_holdout(interactions, **shares, seed=seed)]

"""Settings of the data: source, cleaning, split and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kd_tf.choices import BadRowsRule, DatasetName, NormalizeIds, ProtocolName, TimeUnit
from kd_tf.config.section import PositiveInt, Section, Share, Text


class Columns(Section):
    """Columns of an interactions table, by name or by number from 1."""

    user: Text = Field("user", description="csv: user column, by name or number")
    item: Text = Field("item", description="csv: item column, by name or number")
    rating: Text | None = Field(None, description="csv: rating column")
    timestamp: Text | None = Field(
        None, description="csv: time column, in any form that has one meaning"
    )


class ItemColumns(Section):
    """Column names of an item table; only the ID column is required."""

    item_id: Text = Field("item", description="csv: id column of the table of items")
    title: Text | None = Field(None, description="csv: title column of the table of items")
    authors: Text | None = Field(None, description="csv: authors column of the table of items")
    series: Text | None = Field(None, description="csv: series column of the table of items")
    genre: Text | None = Field(None, description="csv: genre column of the table of items")
    year: Text | None = Field(None, description="csv: year column of the table of items")
    text: Text | None = Field(None, description="csv: description column of the table of items")
    cover: Text | None = Field(
        None, description="csv: column with the path of the cover's image, or its URL"
    )
    isbn: Text | None = Field(None, description="csv: ISBN column of the table of items")


class ItemTable(Section):
    """A table whose columns are joined to the catalog."""

    path: Path = Field(description="the table: CSV, TSV, Parquet or Excel workbook")
    id: Text = Field("item", description="its column with the ids of the items")


class TableFormat(Section):
    """How a text file with a table is written; what is not set is detected.

    Example:
        >>> TableFormat(separator="tab", quote="none").skip_rows
        0
    """

    separator: str | None = Field(
        None, description="csv: text between fields: a character, ::, tab or blank (any number)"
    )
    header: bool | None = Field(
        None, description="csv: whether the first line names the columns; default: detected"
    )
    quote: Literal['"', "none"] = Field(
        '"', description='csv: " around fields with separators, or none: quotes are ordinary text'
    )
    encoding: str = Field(
        "utf-8", description="csv: encoding, such as utf-16, cp1252, gb18030, shift_jis"
    )
    skip_rows: Annotated[int, Field(ge=0)] = Field(
        0, description="csv: number of lines before the table"
    )


class Data(Section):
    """The data set and where its files are.

    Example:
        >>> Data(dataset="movielens", data_dir="ml-1m.zip").has_published_split
        False
        >>> Data(dataset="csv", train="train.csv", test="test.csv").has_published_split
        True
    """

    dataset: DatasetName = Field(
        "synthetic",
        description="name of the data set, docs/reference/data-sources.md; csv for your own tables",
    )
    data_dir: Path | None = Field(
        None, description="published data sets: their folder, archive or file"
    )
    interactions: Path | None = Field(None, description="csv: table of interactions")
    train: Path | None = Field(
        None, description="csv, user-item-lists: training part of a published split"
    )
    validation: Path | None = Field(
        None, description="csv, user-item-lists: validation part; optional"
    )
    test: Path | None = Field(None, description="csv, user-item-lists: test part")
    items: Path | None = Field(None, description="csv: table of items")
    item_tables: tuple[ItemTable, ...] = Field(
        (),
        description="tables with more columns for the catalog of any data set: path and id, the "
        "column with the ids",
    )
    friends: Path | None = Field(
        None,
        description="table of friends, for any data set: its first two columns are a user and a "
        "friend; for the teacher friends",
    )
    columns: Columns = Columns()
    item_columns: ItemColumns = ItemColumns()
    format: TableFormat = TableFormat()
    item_format: TableFormat = TableFormat()
    null_values: tuple[str, ...] | None = Field(
        None,
        description="csv: texts that mean missing, beyond blanks; default: NULL, nan, N/A and so "
        "on, docs/how-to/your-own-files.md",
    )
    decimal: Literal[".", ","] = Field(".", description="csv: decimal mark of ratings")
    time_format: str | None = Field(
        None, description="csv: format of times, for example %d/%m/%Y %H:%M"
    )
    time_unit: TimeUnit = Field(
        "auto", description="csv: what times count that are numbers; auto: seconds or finer"
    )
    normalize_ids: NormalizeIds = Field(
        "none",
        description="csv: make writings of the same id equal: text (blanks, case), integers "
        "(11.0, 011), isbn",
    )
    where: tuple[str, ...] = Field(
        (), description="csv: take rows that meet conditions such as shelf=read, rating>0"
    )
    min_matched_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="csv: least share of items with interactions that the item table has"
    )
    on_bad_rows: BadRowsRule = Field(
        "stop", description="stop: error with file and line; skip: leave them out and count them"
    )
    amazon_release: Literal["2014", "2018", "2023"] | None = Field(
        None, description="amazon-reviews: only needed if the files do not show it"
    )
    book_crossing_feedback: Literal["all", "explicit", "implicit"] = Field(
        "all", description="book-crossing: ratings from 1 to 10, rating 0, or both"
    )
    synthetic_items: PositiveInt = Field(2000, description="synthetic: number of items")
    synthetic_users: PositiveInt = Field(3000, description="synthetic: number of users")
    synthetic_covers: bool = Field(
        False, description="synthetic: draw a cover for each item, by genre, theme and series"
    )
    synthetic_friends: bool = Field(
        False, description="synthetic: whether users have friends, for the teacher friends"
    )

    @property
    def has_interactions(self) -> bool:
        """Whether there is more than a table of items."""
        return self.dataset != "csv" or bool(self.interactions or self.train)

    @property
    def has_published_split(self) -> bool:
        """Whether the files are a published train and test split."""
        return self.train is not None

    @model_validator(mode="after")
    def _check_files(self) -> Data:
        can_be_split = self.dataset in ("csv", "user-item-lists")
        if not can_be_split and (self.train or self.validation or self.test):
            raise ValueError(
                f"dataset {self.dataset} has no published split; train, validation and test are "
                "for csv and user-item-lists"
            )
        if (self.train is None) != (self.test is None) or (self.validation and not self.train):
            raise ValueError("a published split needs train and test; validation is optional")
        if self.dataset == "csv" and self.interactions is not None and self.train is not None:
            raise ValueError("dataset csv has either interactions (one table) or train and test")
        has_tables = self.interactions or self.train or self.items
        if self.dataset == "csv" and not has_tables:
            raise ValueError(
                "dataset csv needs interactions (one table), or train and test; items alone give a "
                "recommender by texts"
            )
        if self.dataset == "user-item-lists" and self.train is None:
            raise ValueError("dataset user-item-lists needs train and test")
        needs_data_dir = self.dataset not in ("synthetic", "csv", "user-item-lists")
        if needs_data_dir and self.data_dir is None:
            raise ValueError(f"dataset {self.dataset} needs data_dir, the folder of its files")
        return self


class Cleaning(Section):
    """Rules for cleaning the interactions. A published split is never cleaned."""

    since: Text | None = Field(
        None, description="drop rows before this time, in any form that has one meaning"
    )
    until: Text | None = Field(None, description="drop rows from this time on")
    min_rating: float | None = Field(
        None, description="drop rows rated lower; default for goodbooks: 4"
    )
    weights: Literal["none", "rating", "log", "count"] = Field(
        "none",
        description="weight of a row: none (all equal), rating, log (1 + ln(1 + rating)), "
        "count (number of repeats)",
    )
    duplicates: Literal["last", "max", "mean", "error"] = Field(
        "last", description="which row to keep when a user has an item several times"
    )
    max_user_quantile: Share | None = Field(
        None, description="drop users with more items than this quantile (robots)"
    )
    min_user_interactions: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="drop users with fewer items; default: 5, or less (at least 2) where 5 would "
        "leave fewer than 20 users",
    )
    min_item_interactions: PositiveInt = Field(
        1, description="drop items with fewer users; both minimums are repeated until they hold"
    )


class Split(Section):
    """The evaluation protocol: which users and items are held out.

    Example:
        >>> split = Split(protocol="temporal", test_share=0.1)
        >>> split.test_share, split.validation_share
        (0.1, 0.1)
    """

    protocol: ProtocolName | None = Field(
        None, description="default: published if the files have a split, else unseen-users"
    )
    test_users: PositiveInt | None = Field(
        None,
        description="unseen-users, cold-items, cold-users: number of test users; default: a fifth, "
        "at most 5000, at least 1 of 2 users",
    )
    validation_users: PositiveInt | None = Field(
        None,
        description="of the same protocols: default: half of test_users; of 3 users or fewer none, "
        "and training items are held out instead",
    )
    held_out_share: Share = Field(
        0.2, description="of the same protocols: share of a user's items that is held out"
    )
    cold_items: PositiveInt | None = Field(
        None,
        description="cold-items: number of items without training interactions; default: a fifth",
    )
    shown_items: PositiveInt = Field(
        4, description="cold-users: number of items that are shown of a test user at most"
    )
    test_share: Share = Field(0.2, description="random, temporal: share of interactions")
    validation_share: Share = Field(0.1, description="random, temporal: share of interactions")
    show_validation: bool = Field(
        False, description="published: validation items are part of the history at test time"
    )
    num_folds: Annotated[int, Field(ge=3)] | None = Field(
        None,
        description="unseen-users, random: k of k-fold cross-validation (kd-tf baselines only)",
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Split:
        if self.test_share + self.validation_share >= 1:
            raise ValueError(
                "test_share + validation_share must be below 1: nothing is left to train on"
            )
        return self


class Content(Section):
    """What items are about, for items that nobody has read yet.

    Example:
        >>> Content(text=("title", "description"), encoder="static").text
        ('title', 'description')
    """

    text: tuple[Text, ...] = Field(
        (),
        description="text columns of the catalog that are encoded, such as title, authors, "
        "description; default: none, and with protocol cold-items all if no images are encoded",
    )
    encoder: Text = Field(
        "tfidf",
        description="tfidf, static, minilm, multilingual or a folder with a model; several are "
        "separated by commas; docs/explanation/text-teachers.md",
    )
    image: tuple[Text, ...] = Field(
        (),
        description="columns of the catalog with paths of images that are encoded, such as cover; "
        "addresses of the web are not fetched",
    )
    image_encoder: Text = Field(
        "statistics",
        description="statistics (colours, layout and edges), or a network of keras.applications "
        "with the file of its weights, such as MobileNetV2:weights.h5; several are separated by "
        "commas",
    )
    image_folder: Path | None = Field(
        None,
        description="folder that holds all images; default: the folders of the tables",
    )
    transfer_from: Path | None = Field(
        None,
        description="folder of a run whose teacher content-tower learnt on another catalog, with "
        "the same encoder: its embeddings of the items are encoded as well; "
        "docs/explanation/text-teachers.md#from-one-catalog-to-another",
    )


class Evaluation(Section):
    """How models are evaluated.

    Example:
        >>> Evaluation(candidates="sampled:99").ks
        (10, 20)
    """

    candidates: Annotated[str, Field(pattern=r"^(full|cold|sampled:[1-9][0-9]*)$")] = Field(
        "full",
        description="full (rank all items), cold (protocol cold-items: rank cold items only), or "
        "sampled:N (rank among N sampled unseen items)",
    )
    ks: tuple[PositiveInt, ...] = Field((10, 20), description="cutoffs of the ranking metrics")

    @model_validator(mode="after")
    def _check_ks(self) -> Evaluation:
        if not self.ks or len(set(self.ks)) != len(self.ks):
            raise ValueError(f"ks needs at least one cutoff and no duplicates, not {self.ks}")
        return self

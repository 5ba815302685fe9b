"""Options that several commands share, with the same name, help and meaning everywhere.

A command lists them in its signature. `kd_tf.cli.settings.collect_settings` makes settings of
their values. Defaults are those of the configuration, so an option that is not given is None, and
``show_default`` is text for the help.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli.completion import complete_names, complete_settings
from kd_tf.cli.output import check_json_path
from kd_tf.errors import UserError
from kd_tf.sizes import parse_size

DATA, RANKING, FORMAT, EVALUATION, MODELS, SETTINGS, OUTPUT = (
    "Data",
    "Labels and features, with --task ranking",
    "How the tables are written",
    "Evaluation",
    "Teacher, student and files",
    "Settings",
    "Results",
)
"""Headings of the options in the help."""

DEFAULT_SEED = 42


def join_choices(names: Any) -> str:
    """Returns the names of a ``Literal`` as the help lists them.

    Example:
        >>> join_choices(choices.BadRowsRule)
        'stop, skip'
    """
    return ", ".join(list_choices(names))


DATASET_HELP = (
    f"One of {join_choices(choices.DatasetName)}. csv: your own tables, also TSV and Parquet."
)


def parse_size_option(text: str) -> int:
    """Parses a size such as ``600kB``.

    Raises:
        BadParameter: The text is no size.
    """
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _make_option(
    panel: str, help: str, *names: str, default: str | bool = False, **arguments: Any
) -> Any:
    """Makes an option under a heading of the help.

    Args:
        panel: The heading.
        help: What the option does.
        names: Its names, if they do not follow from the parameter's name.
        default: The default as people read it; False for an option that does nothing by default.
        arguments: Further arguments of `typer.Option`.
    """
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=default, **arguments)


Bundle = Annotated[
    Path, typer.Argument(help="Folder of a bundle, or of the run that wrote it, e.g. runs/demo.")
]

Dataset = Annotated[
    choices.DatasetName | None,
    _make_option(
        DATA,
        DATASET_HELP,
        metavar="NAME",
        default="synthetic",
    ),
]
DataDir = Annotated[
    Path | None, _make_option(DATA, "Published data sets: their folder, archive or file.")
]
Interactions = Annotated[
    Path | None, _make_option(DATA, "csv: table of interactions, one row for each.")
]
Train = Annotated[
    Path | None, _make_option(DATA, "csv, user-item-lists: training part of a published split.")
]
Validation = Annotated[
    Path | None, _make_option(DATA, "csv, user-item-lists: its validation part, if it has one.")
]
Test = Annotated[Path | None, _make_option(DATA, "csv, user-item-lists: its test part.")]
User = Annotated[
    str | None, _make_option(DATA, "csv: user column, by name or number.", default="user")
]
Item = Annotated[
    str | None, _make_option(DATA, "csv: item column, by name or number.", default="item")
]
Rating = Annotated[str | None, _make_option(DATA, "csv: rating column.")]
Timestamp = Annotated[str | None, _make_option(DATA, "csv: time column.")]
Columns = Annotated[
    str | None,
    _make_option(
        DATA,
        "csv: all columns at once, as user,item or user,item,rating or user,item,rating,timestamp; "
        "by name or number. Without a header, names are taken in their order.",
        metavar="NAME,NAME,...",
    ),
]
Header = Annotated[
    bool | None,
    _make_option(DATA, "csv: whether the first line names the columns.", default="detected"),
]
Separator = Annotated[
    str | None,
    _make_option(
        FORMAT,
        "csv: text between fields: a character, ::, tab or blank (any number of them).",
        default="detected",
    ),
]
Quote = Annotated[
    str | None,
    _make_option(FORMAT, 'csv: " around fields, or none: quotes are ordinary text.', default='"'),
]
Encoding = Annotated[
    str | None,
    _make_option(
        FORMAT,
        "csv: encoding of the table of interactions, such as utf-16, cp1252, gb18030, shift_jis.",
        default="utf-8",
    ),
]
SkipRows = Annotated[
    int | None, _make_option(FORMAT, "csv: number of lines before the table.", default="0")
]
Decimal = Annotated[
    str | None, _make_option(FORMAT, "csv: decimal mark of ratings: . or , .", default=".")
]
NullValues = Annotated[
    str | None,
    _make_option(
        FORMAT,
        "csv: texts that mean missing, beyond blanks.",
        metavar="TEXT,TEXT,...",
        default="NULL, nan, N/A and so on",
    ),
]
TimeFormat = Annotated[
    str | None,
    _make_option(
        FORMAT,
        "csv: format of times, for example '%d/%m/%Y %H:%M'.",
        default="any that has one meaning",
    ),
]
TimeUnit = Annotated[
    choices.TimeUnit | None,
    _make_option(
        FORMAT,
        f"csv: what times count that are numbers: {join_choices(choices.TimeUnit)}.",
        metavar="UNIT",
        default="auto",
    ),
]
NormalizeIds = Annotated[
    choices.NormalizeIds | None,
    _make_option(
        FORMAT,
        "csv: make writings of an id equal: text (blanks, case), integers (11.0, 011), isbn.",
        metavar="none|text|integers|isbn",
        default="none",
    ),
]
Where = Annotated[
    list[str] | None,
    _make_option(
        DATA,
        "csv: take rows that meet a condition, for example shelf=read or rating>0. Repeatable.",
        metavar="CONDITION",
        default="all rows",
    ),
]
Items = Annotated[
    Path | None,
    _make_option(
        DATA,
        "csv: table of items, for their titles. Without interactions, kd-tf run makes a "
        "recommender of their texts alone.",
        "--items",
        "--books",
    ),
]
ItemId = Annotated[
    str | None, _make_option(DATA, "csv: id column of the table of items.", default="as --item")
]
Title = Annotated[
    str | None,
    _make_option(DATA, "csv: title column of the table of items, or else of the interactions."),
]
Authors = Annotated[
    str | None,
    _make_option(DATA, "csv: authors column of the table of items, or else of the interactions."),
]
ItemTable = Annotated[
    list[Path] | None,
    _make_option(
        DATA,
        "Table with more columns of the items, such as descriptions, for any data set. Repeatable.",
        metavar="FILE",
    ),
]
ItemTableId = Annotated[
    list[str] | None,
    _make_option(
        DATA,
        "Column of --item-table with the ids of the items, one for each table.",
        metavar="COLUMN",
        default="as --item",
    ),
]
Friends = Annotated[
    Path | None,
    _make_option(
        DATA,
        "Table of friends, for any data set: its first two columns are a user and a friend. A "
        "teacher and a baseline learn from it; the app never sees it.",
        metavar="FILE",
    ),
]
Text = Annotated[
    str | None,
    _make_option(
        DATA,
        "Text columns of the items that are encoded, such as title,authors,description, so that "
        "new items can be recommended; ranking: what the teacher text reads.",
        metavar="COLUMN,...",
        default="none; all with --protocol cold-items and without --image; ranking: sentences",
    ),
]
Encoder = Annotated[
    str | None,
    _make_option(
        DATA,
        "What encodes texts: tfidf, static, minilm, multilingual or the folder of a model; several "
        "separated by commas.",
        metavar="NAME,...",
        default="tfidf",
    ),
]
Image = Annotated[
    str | None,
    _make_option(
        DATA,
        "Columns of the items with paths of images that are encoded, such as cover. Paths are "
        "relative to the folder of the table, or of content.image_folder.",
        metavar="COLUMN,...",
        default="none",
    ),
]
ImageEncoder = Annotated[
    str | None,
    _make_option(
        DATA,
        "What encodes images: statistics (colours, layout and edges), or a network of "
        "keras.applications with the file of its weights, such as MobileNetV2:weights.h5; several "
        "separated by commas.",
        metavar="NAME,...",
        default="statistics",
    ),
]
OnBadRows = Annotated[
    choices.BadRowsRule | None,
    _make_option(
        DATA,
        "Malformed rows. stop: an error names file and line. skip: they are left out and counted.",
        default="stop",
    ),
]
MinRating = Annotated[
    float | None,
    _make_option(DATA, "Leave out rows with a lower rating.", default="4 for goodbooks"),
]

Protocol = Annotated[
    choices.ProtocolName | None,
    _make_option(
        EVALUATION,
        "How the data is split into training, validation and test part: "
        f"{join_choices(choices.ProtocolName)}.",
        metavar="NAME",
        default="published if the files have a split, else unseen-users",
    ),
]
Candidates = Annotated[
    str | None,
    _make_option(
        EVALUATION,
        "full: rank all items. cold: rank the items that the protocol cold-items hides. sampled:N: "
        "rank each held-out item among N sampled items.",
        metavar="full|cold|sampled:N",
        default="full",
    ),
]
Cutoffs = Annotated[
    str | None,
    _make_option(
        EVALUATION,
        "Lengths of the lists that are evaluated, separated by commas.",
        "--k",
        "-k",
        metavar="K,K,...",
        default="10,20",
    ),
]

Task = Annotated[
    choices.TaskName | None,
    _make_option(
        DATA,
        "retrieval: lists of items for a history. ranking: one probability or rating for a row of "
        "features.",
        metavar="NAME",
        default="retrieval",
    ),
]
Label = Annotated[
    str | None,
    _make_option(
        RANKING,
        "Column of the label: of two values a click, of more a rating. Without it, all rows are "
        "positives.",
        metavar="COLUMN",
    ),
]
Threshold = Annotated[
    float | None,
    _make_option(RANKING, "Makes a click of a label of numbers: those not below it."),
]
Positive = Annotated[
    str | None,
    _make_option(RANKING, "Makes a click of any label: this value.", metavar="VALUE"),
]
Negatives = Annotated[
    int | None,
    _make_option(RANKING, "Negatives drawn for each row of a table without a label.", min=0),
]
Categorical = Annotated[
    str | None,
    _make_option(RANKING, "Columns that are categories.", metavar="COLUMN,...", default="inferred"),
]
Numeric = Annotated[
    str | None,
    _make_option(RANKING, "Columns that are numbers.", metavar="COLUMN,...", default="inferred"),
]
Multi = Annotated[
    str | None,
    _make_option(
        RANKING,
        "Columns that are lists, such as a|b|c.",
        metavar="COLUMN,...",
        default="inferred",
    ),
]
Date = Annotated[
    str | None,
    _make_option(RANKING, "Columns that are times.", metavar="COLUMN,...", default="inferred"),
]
Ignore = Annotated[
    str | None, _make_option(RANKING, "Columns that are left out.", metavar="COLUMN,...")
]
Features = Annotated[
    str | None,
    _make_option(
        RANKING,
        "The only columns that features are made of.",
        metavar="COLUMN,...",
        default="all",
    ),
]
Users = Annotated[
    Path | None, _make_option(RANKING, "Table with columns of the users, which are joined.")
]
UserId = Annotated[str | None, _make_option(RANKING, "Its column of the user.")]

Teacher = Annotated[
    Literal[choices.TeacherArchitecture, choices.RankingTeacherName] | None,
    _make_option(
        MODELS,
        f"One of {join_choices(choices.TeacherArchitecture)} (for kd-tf compare only). With --task "
        f"ranking: {join_choices(choices.RankingTeacherName)}.",
        metavar="NAME",
        default="ensemble",
    ),
]
MaxBytes = Annotated[
    int | None,
    _make_option(
        MODELS,
        "Budget for the student's weights in int8, for example 600kB, 1.5MB or 250000.",
        metavar="SIZE",
        parser=parse_size_option,
        default="1MB, or 40 bytes per item if that is more",
    ),
]
Losses = Annotated[
    str | None,
    _make_option(
        MODELS,
        f"Distillation losses, separated by commas: {join_choices(choices.LossName)}; your own as "
        "module:Class.",
        metavar="NAME,NAME,...",
        autocompletion=complete_names(list_choices(choices.LossName)),
        default="soft-targets",
    ),
]
Weighting = Annotated[
    choices.WeightingName | None,
    _make_option(
        MODELS,
        "How student loss and distillation losses are weighted: "
        f"{join_choices(choices.WeightingName)}.",
        metavar="NAME",
        default="constant",
    ),
]

Config = Annotated[
    Path | None,
    _make_option(SETTINGS, "TOML file with settings. Other options win over it."),
]
AllowCode = Annotated[
    bool,
    _make_option(
        SETTINGS,
        "Let --config name distillation losses of your own as module:Class, which imports and runs "
        "that module.",
        "--allow-code",
    ),
]
Name = Annotated[
    str | None,
    _make_option(
        SETTINGS, "Name of the run in tables and reports.", default="name of the data set"
    ),
]
Seed = Annotated[
    int | None, _make_option(SETTINGS, "Random seed.", min=0, default=str(DEFAULT_SEED))
]
Settings = Annotated[
    list[str] | None,
    _make_option(
        SETTINGS,
        "Any setting of the configuration, for example student.embedding_dim=64. Repeat it for "
        "more. It wins over all other options.",
        "--set",
        metavar="SECTION.KEY=VALUE",
        autocompletion=complete_settings,
    ),
]

Json = Annotated[
    Path | None,
    _make_option(
        OUTPUT,
        "Write the result as JSON to this file. A dash (-) prints JSON instead of tables.",
        metavar="FILE",
        callback=check_json_path,
    ),
]
Quiet = Annotated[bool, _make_option(OUTPUT, "Show no progress, only the result.", "--quiet", "-q")]


def make_out_option(default: str) -> Any:
    """Makes the option ``--out``.

    Args:
        default: The default folder as people read it.
    """
    return _make_option(
        OUTPUT,
        "Folder of the results: new, empty, or that of an earlier run, which is resumed.",
        default=default,
    )


def make_student_option(default: str, more: str = "", **arguments: Any) -> Any:
    """Makes the option ``--student``.

    Args:
        default: The default architecture.
        more: Follows the names of the architectures of the ranking task in the help.
        arguments: Further arguments of `typer.Option`.
    """
    return _make_option(
        MODELS,
        f"One of {join_choices(choices.StudentArchitecture)} (for kd-tf compare only). auto: the "
        "best within --max-bytes, for kd-tf run only. With --task ranking: "
        f"{join_choices(choices.RankingStudentName)}{more}.",
        default=default,
        **{"metavar": "NAME", **arguments},
    )


def split_names(text: str | None) -> list[str] | None:
    """Splits names at commas; None stays None.

    Example:
        >>> split_names("popularity, ease")
        ['popularity', 'ease']
    """
    if text is None:
        return None
    return [name.strip() for name in text.split(",")]


def parse_pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Parses texts such as ``hour=21``.

    Args:
        texts: The texts.
        option: The option, for the error.

    Raises:
        UserError: A text has no ``=``, or a name occurs twice.

    Example:
        >>> parse_pairs(["hour=21", "language=de"], "--context")
        {'hour': '21', 'language': 'de'}
    """
    pairs: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals or name in pairs:
            problem = "names its column a second time" if name in pairs else "is not COLUMN=VALUE"
            raise UserError(f"{option}: {text!r} {problem}", hint=f"Write {option} hour=21.")
        pairs[name] = value
    return pairs


def parse_counts(text: str, option: str, example: str) -> list[int]:
    """Parses positive numbers that are separated by commas.

    Args:
        text: The numbers.
        option: The option, for the error.
        example: A value of the option, for the error.

    Raises:
        UserError: A part is no positive number.

    Example:
        >>> parse_counts("5, 10", "--k", "10,20")
        [5, 10]
    """
    names = split_names(text) or []
    if not all(re.fullmatch("0*[1-9][0-9]{0,8}", name) for name in names):
        raise UserError(
            f"{option} needs positive numbers, not {text!r}",
            hint=f"For example {option} {example}.",
        )
    return [int(name) for name in names]

"""`kd-tf recommend`: what it prints is found again, and it says what it took a name for."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.cli import main
from kd_tf.cli.console import make_console
from kd_tf.errors import UserError
from kd_tf.runtime.bundle import Bundle, write_bundle
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.titles import TitleIndex

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


def run(*arguments: object) -> tuple[int, str, str]:
    """The exit code of `kd-tf recommend`, and what it wrote to both streams."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr("sys.argv", ["kd-tf", "recommend", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return int(end.value.code or 0), output.getvalue(), errors.getvalue()


def list_lines(output: str, heading: str) -> list[str]:
    """The indented lines under a heading."""
    lines = output.splitlines()
    rest = lines[lines.index(heading) + 1 :]
    end = next((row for row, line in enumerate(rest) if not line.startswith("  ")), len(rest))
    return rest[:end]


@pytest.fixture
def odd_bundle(tmp_path):
    """The golden bundle with titles that many books share or that a terminal changes."""
    golden = Bundle.open(GOLDEN)
    titles = [
        *("Emma", "EMMA", "Emma (Ada Bell)", "Sea :dog: [bold]x[/]", "A\x1b[31m\tred\nline"),
        *(None, "0", "Salt &amp; Sand", "word " * 150, "«Тихий» (Дон, #1)", "b0: Emma", "emma"),
    ]
    authors = ["Ada Bell", None, "B. (Bob) Cole"]
    catalog = [
        {
            "item_id": f"b{row}" if row else "0",
            "title": titles[row % len(titles)],
            "authors": authors[row // len(titles) % len(authors)],
        }
        for row in range(golden.config.num_items)
    ]
    write_bundle(
        tmp_path / "bundle",
        model=golden.model,
        catalog=catalog,
        config=dataclasses.replace(golden.config, sha256={}),
        model_card="",
    )
    return tmp_path / "bundle"


def test_every_book_that_is_printed_can_be_named_by_what_is_printed(odd_bundle):
    _, output, _ = run(odd_bundle, "-r", "b40", "-k", 20)
    labels = [line[6:].rpartition("  [")[0] for line in list_lines(output, "You may like:")]
    _, json_output, _ = run(odd_bundle, "-r", "b40", "-k", 20, "--json", "-")
    ids = [row["id"] for row in json.loads(json_output)["recommendations"]]
    assert len(ids) == 20
    names = [argument for label in labels for argument in ("-r", label)]
    code, json_output, _ = run(odd_bundle, *names, "--json", "-")
    assert code == 0
    answer = json.loads(json_output)
    assert (answer["history"], answer["notes"]) == (ids, [])


parts = st.sampled_from(
    [
        *("Emma", "emma", "The ", "book ", "1", "2", "(1)", " (", ")", ": ", ".", "[b]", ":cat:"),
        *(
            "é",
            "ß",
            "三",
            "’",
            "&",
            "&amp;",
            "\n",
            "\t",
            "  ",
            "\x00",
            "\x1b[2J",
            "\u202e",
            "\ufffd",
        ),
        "a" * 600,
    ]
)
texts = st.lists(parts, min_size=1, max_size=4).map("".join)
item_ids = st.text("12ab :()E", min_size=1, max_size=3).filter(lambda text: text == text.strip())


@given(
    st.lists(
        st.tuples(item_ids, st.none() | texts, st.none() | texts),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    )
)
def test_the_label_of_every_item_of_any_catalogue_finds_it(rows):
    items = [
        Item(row, item_id, title=title, authors=authors)
        for row, (item_id, title, authors) in enumerate(rows, start=1)
    ]
    index = TitleIndex(items)
    for item in items:
        stream = io.StringIO()
        console = make_console(file=stream, width=40, soft_wrap=True)
        console.print(index.make_label(item), markup=False)
        match = index.resolve(stream.getvalue().removesuffix("\n"))
        assert (match.item.id, match.is_exact) == (item.id, True)


@given(st.lists(texts, min_size=1, max_size=6))
def test_the_lines_of_a_refusal_can_be_pasted_back(titles):
    items = [Item(row, f"id{row}", title=title) for row, title in enumerate(titles, start=1)]
    index = TitleIndex(items)
    with pytest.raises(UserError) as refusal:
        index.resolve("no such title at all")
    for line in str(refusal.value).splitlines()[2:]:
        if line.endswith("..."):
            continue  # it is seen that the title is longer
        assert line.startswith(f"    {index.resolve(line.strip()).item.item_id}:")


def test_a_near_title_is_said_wherever_it_is_named():
    title, other, third = (item.title for item in Bundle.open(GOLDEN).items[:3])
    near, near_other = title.replace("Chillies", "Chilies"), f"{other}: A Novel"
    notes = [f"'{near}' is taken for bk-00001: ", f"'{near_other}' is taken for bk-00002: "]
    for option in ("--exclude", "--only"):
        code, output, _ = run(GOLDEN, "-r", near, option, near_other, option, third)
        assert code == 0
        assert all(note in output for note in notes)
        _, output, _ = run(GOLDEN, "-r", near, option, near_other, "--json", "-")
        content = json.loads(output)
        assert content["history"] == ["bk-00001"]
        assert len(content["notes"]) == 2
        assert all(map(str.startswith, content["notes"], notes))
    assert "is taken for" not in run(GOLDEN, "-r", title)[1]


def test_another_title_is_refused():
    code, _, errors = run(GOLDEN, "-r", "Planting Chimneys")
    assert code == 2
    assert "no book is called 'Planting Chimneys'" in errors
    assert "bk-00001: Planting Chillies" in errors


def test_a_new_reader_gets_the_list_of_the_model():
    code, output, _ = run(GOLDEN, "-k", 3)
    assert code == 0
    assert output.startswith("You named no book")
    assert len(list_lines(output, "You may like:")) == 3
    _, output, _ = run(GOLDEN, "-k", 3, "--explain", "--json", "-")
    content = json.loads(output)
    assert content["history"] == []
    assert [row["because"] for row in content["recommendations"]] == [[], [], []]


def test_reasons_say_what_both_books_share_and_new_books_are_marked(tmp_path):
    golden = Bundle.open(GOLDEN)
    catalog: list[dict[str, object]] = [
        {"item_id": f"b{row}", "title": f"Title {row}", "authors": f"Ann Elm{row}"}
        for row in range(golden.config.num_items)
    ]
    config = dataclasses.replace(golden.config, sha256={})

    def recommend(**values: object) -> tuple[list[str], dict[str, object]]:
        rows = [row | values for row in catalog]
        write_bundle(
            tmp_path / "bundle", model=golden.model, catalog=rows, config=config, model_card=""
        )
        arguments = [tmp_path / "bundle", "-r", "b40", "-r", "b0", "-k", 2, "--explain"]
        _, output, _ = run(*arguments)
        _, json_output, _ = run(*arguments, "--json", "-")
        return list_lines(output, "You may like:"), json.loads(json_output)["recommendations"][0]

    lines, first = recommend()
    assert lines[0].endswith("]")
    assert "new" not in lines[0]
    assert lines[1].startswith("      because you read Title ")
    assert "(" not in lines[1]
    assert first["new"] is False
    shared = {"shared_authors": [], "same_series": False, "shared_words": []}
    assert all(shared.items() <= reason.items() for reason in first["because"])

    lines, first = recommend(authors="Ann Elm", series="Saga", words="sea fog", new=True)
    assert lines[0].endswith(", new]")
    assert lines[1].endswith(" (same author; same series; both about sea, fog)")
    assert lines[2].startswith("      and Title ")
    assert first["new"] is True
    shared = {"shared_authors": ["Ann Elm"], "same_series": True, "shared_words": ["sea", "fog"]}
    assert all(shared.items() <= reason.items() for reason in first["because"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-r", "bk-00001", "--only", "bk-00001"], "is in --history or --exclude"),
        (["--only", "bk-00001", "--exclude", "bk-00001"], "is in --history or --exclude"),
        (["-r", "bk-00001", "--min-score", 99], "has a score of 99 or more"),
    ],
)
def test_nothing_left_to_recommend_is_a_sentence(arguments, reason):
    code, output, _ = run(GOLDEN, *arguments)
    assert code == 0
    assert "Nothing is left to recommend" in output
    assert reason in output
    assert "You may like" not in output
    code, output, _ = run(GOLDEN, *arguments, "--json", "-")
    assert (code, json.loads(output)["recommendations"]) == (0, [])


def test_the_folder_of_a_run_is_taken_for_its_bundle(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "mine" / "bundle")
    assert run(tmp_path / "mine", "-k", 2) == run(GOLDEN, "-k", 2)
    code, _, errors = run(tmp_path)
    assert code == 2
    assert "neither a bundle" in errors

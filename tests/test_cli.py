"""What the command line promises about faults: a clear message and the right exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kd_tf import cli
from kd_tf.errors import ParityError


def end_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["kd-tf", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("user,item,rating\na,1,5\na,2,five\n", ["--rating", "rating"], ":3, column"),
        ("user,item\n", [], "no rows"),
        ("user,item\na,1\nb,1\n", [], "No user has two items"),
        ("user,item\na,1\na,2\n", ["--set", "split.test_users=1"], "none for training"),
        ("user,item\na,1\n", ["--user", "reader"], "no column 'reader'"),
        ("user,item\na,1\n", ["--set", "student.dimension=3"], "student.dimension"),
        ("user,item\na,1\n", ["--set", "nonsense"], "SECTION.KEY=VALUE"),
    ],
)
def test_a_fault_of_the_user_is_named_and_ends_with_2(
    content: str,
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "loans.csv"
    table.write_text(content, "utf-8")
    out = tmp_path / "out"
    command = ["run", "--dataset", "csv", "--interactions", str(table), "--out", str(out), "-q"]
    assert end_of(monkeypatch, *command, *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ").replace("  ", " ")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nosuch"], "kd-tf: No such command 'nosuch'.\n  kd-tf --help lists all options.\n"),
        (
            ["run", "--nosuch"],
            "kd-tf: No such option: --nosuch",
        ),
        (["recommend"], "kd-tf: Missing argument 'bundle'.\n  kd-tf recommend --help lists all"),
        ([], ""),
    ],
)
def test_wrong_options_are_named_as_other_faults_are_and_end_with_2(
    arguments: list[str],
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end_of(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith(error)
    assert ("Usage:" in output.out) == (not arguments)


def test_a_missing_bundle_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(monkeypatch, "recommend", str(tmp_path / "none"), "-r", "Dune") == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "resume from what is finished"),
        (ParityError("overlap .2"), 1, "overlap .2"),
        (RuntimeError("broken"), 1, "internal error"),
    ],
)
def test_ctrl_c_and_our_own_faults_have_codes_of_their_own(
    fault: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(cli.run, "_run", fail)
    assert end_of(monkeypatch, "demo") == code
    assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.fixture
def shelves(tmp_path: Path) -> Path:
    """A published split of two tables, and the same rows in one."""
    rows = [f"u{u},b{(u * 7 + k * k) % 23},{1000 * k + u}" for u in range(40) for k in range(9)]
    rows = list(dict.fromkeys(rows))
    (tmp_path / "all.csv").write_text("user,item,time\n" + "\n".join(rows) + "\n")
    pairs = list(dict.fromkeys(row.rpartition(",")[0] for row in rows))
    for name, part in (("train", pairs[::2]), ("test", pairs[1::2])):
        (tmp_path / f"{name}.csv").write_text("user,item\n" + "\n".join(part) + "\n")
    return tmp_path


def test_baselines_write_every_figure_in_the_form_of_results_json(
    shelves: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shelves / "new" / "found.json"
    table = ["--dataset", "csv", "--interactions", str(shelves / "all.csv"), "--timestamp", "time"]
    options = ["--protocol", "leave-one-out", "--k", "5,10", "--models", "popularity,item-knn"]
    assert end_of(monkeypatch, "baselines", *table, *options, "--json", str(out), "-q") == 0
    found = json.loads(out.read_text("utf-8"))
    assert found["version"] == 2
    assert found["dataset"]["protocol"] == "leave-one-out"
    assert [one["name"] for one in found["models"]] == ["popularity", "item-knn"]
    assert {"ndcg@5", "ndcg@10", "auc"} <= found["models"][0]["metrics"].keys()
    assert all(one["role"] == "baseline" for one in found["models"])
    assert "item-knn" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [["--columns", "user,item"], ["--user", "user"], []])
def test_a_published_split_is_read_with_the_columns_that_are_named(
    columns: list[str], shelves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shelves / "found.json"
    files = ["--train", str(shelves / "train.csv"), "--test", str(shelves / "test.csv")]
    options = ["--models", "popularity", "--candidates", "sampled:3", "--json", str(out), "-q"]
    command = ["baselines", "--dataset", "csv", *files, *columns, *options]
    assert end_of(monkeypatch, *command) == 0
    found = json.loads(out.read_text("utf-8"))
    assert found["dataset"]["name"] == shelves.name
    assert found["dataset"]["protocol"] == "published"
    assert found["dataset"]["candidates"] == "sampled:3"


def test_data_counts_before_and_after_every_cleaning_step(
    shelves: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shelves / "summary.json"
    table = [
        "--interactions",
        str(shelves / "all.csv"),
        "--set",
        "cleaning.min_item_interactions=3",
    ]
    assert end_of(monkeypatch, "data", "csv", *table, "--json", str(out), "-q") == 0
    found = json.loads(out.read_text("utf-8"))
    assert found["cleaning_steps"]
    printed = capsys.readouterr().out
    for step in found["cleaning_steps"]:
        assert step["before"]["interactions"] >= step["after"]["interactions"]
        assert step["name"].split()[0] in printed
    assert found["clean_counts"] == found["cleaning_steps"][-1]["after"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "user"], "is not USER,ITEM"),
        (["--k", "ten"], "--k needs positive numbers"),
        (["--candidates", "some"], "evaluation.candidates"),
        (["--protocol", "guess"], "'--protocol'"),
        (["--set", "split.protocol=guess"], "split.protocol"),
        (["--models", "magic"], "no baseline 'magic'"),
        (["--test", "x.csv"], "needs train and test"),
        (["--set", "data=3"], "data"),
    ],
)
def test_a_wrong_option_of_baselines_is_named(
    options: list[str],
    message: str,
    shelves: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = ["--dataset", "csv", "--interactions", str(shelves / "all.csv")]
    assert end_of(monkeypatch, "baselines", *table, *options, "-q") == 2
    assert message in capsys.readouterr().err.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize("command", ["demo", "run", "recommend", "data", "baselines"])
def test_every_command_explains_itself(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(monkeypatch, command, "--help") == 0
    assert "--json" in capsys.readouterr().out

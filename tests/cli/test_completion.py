"""The shell completes commands, options and names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.cli.completion import complete_names, complete_settings

CODE = "import sys; sys.argv = ['kd-tf', *sys.argv[1:]]; from kd_tf.cli import main; main()"


def complete(line: str) -> list[str]:
    """What bash offers for the last word of the line."""
    environment = {
        **os.environ,
        "_KD_TF_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    ran = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kd-tf com", ["compare"]),
        ("kd-tf run --max-b", ["--max-bytes"]),
        ("kd-tf run --teacher tr", ["transformer"]),
        ("kd-tf run --student low", ["low-rank", "low-rank-residual"]),
        ("kd-tf run --losses soft-targets,rr", ["soft-targets,rrd"]),
        ("kd-tf run --weighting u", ["uncertainty"]),
        ("kd-tf run --quantization int", ["int8", "int4"]),
        ("kd-tf compare --methods rrd+d", ["rrd+de", "rrd+dcd", "rrd+dcd-item", "rrd+dcd-both"]),
        ("kd-tf baselines --protocol le", ["leave-one-out"]),
        ("kd-tf baselines --models popularity,item", None),
        ("kd-tf data movie", ["movielens"]),
        ("kd-tf download goodb", ["goodbooks-10k"]),
        ("kd-tf run --set student.max", ["student.max_bytes="]),
    ],
)
def test_the_last_word_is_completed(line: str, words: list[str] | None) -> None:
    completed = complete(line)
    if words is None:
        prefix = "popularity,item-knn"
        words = [prefix, f"{prefix}-history", f"{prefix}-bm25"]
    assert sorted(completed) == sorted(words)


def test_completion_can_be_installed(tmp_path: Path) -> None:
    # Typer would look for the shell that started the tests: under make that is sh.
    detection = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    environment = {**os.environ, "HOME": str(tmp_path), **detection}
    command = [sys.executable, "-c", CODE, "--install-completion", "bash"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "completion installed" in ran.stdout
    (script,) = [path for path in tmp_path.rglob("*.sh") if path.is_file()]
    assert "_KD_TF_COMPLETE=complete_bash" in script.read_text("utf-8")
    assert str(script) in (tmp_path / ".bashrc").read_text("utf-8")


def test_names_are_completed_after_every_separator() -> None:
    complete_methods = complete_names(["rrd", "rd", "de"], ",+")
    assert complete_methods("") == ["rrd", "rd", "de"]
    assert complete_methods("de,rrd+r") == ["de,rrd+rrd", "de,rrd+rd"]
    assert complete_methods("x") == []


def test_settings_are_completed_with_their_values() -> None:
    assert "teacher.training.epochs=" in complete_settings("")
    assert complete_settings("distillation.curriculum=") == [
        "distillation.curriculum=true",
        "distillation.curriculum=false",
    ]
    assert complete_settings("split.protocol=r") == ["split.protocol=random"]
    # Settings of the ranking task, and names that only one of the tasks has.
    assert complete_settings("data.negatives") == ["data.negatives="]
    assert complete_settings("student.architecture=fa") == [
        "student.architecture=factorization-machine",
    ]
    assert complete_settings("student.embedding_dim=") == []
    assert complete_settings("nothing.here=x") == []

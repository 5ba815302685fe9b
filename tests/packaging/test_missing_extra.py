"""What a person sees who has the base install and asks for training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.extras import EXTRAS, MissingExtraError, convert_import_errors, require_modules

ADVICE = "pip install 'kd_tf[train]'"

HIDDEN = {module for _, modules in EXTRAS.values() for module in modules} - {"pydantic"}
"""Modules of the extras that the base install lacks. Typer brings pydantic."""


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code where only the base install is."""
    # Python takes None here for: looked for and not found.
    hide = f"import sys; sys.modules.update(dict.fromkeys({sorted(HIDDEN)}))\n"
    return subprocess.run(
        [sys.executable, "-c", hide + code], capture_output=True, text=True, check=False
    )


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_without_extras(
        f"sys.argv = {['kd-tf', *arguments]!r}\nfrom kd_tf.cli import main\nmain()\n"
    )


@pytest.mark.parametrize("module", ["kd_tf.backend", "kd_tf.data", "kd_tf.models.base"])
def test_importing_a_module_of_the_training_says_what_to_install(module: str) -> None:
    ran = run_without_extras(f"import {module}")
    assert ran.returncode == 1
    assert "MissingExtraError: training needs more packages" in ran.stderr
    assert ADVICE in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["run", "--dataset", "synthetic", "--out", "out"],
        ["data", "synthetic"],
        ["baselines", "--dataset", "synthetic"],
        ["compare", "--dataset", "synthetic"],
        ["benchmark", "--synthetic-items", "100"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_of_the_training_says_what_to_install(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_command(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "training needs more packages" in ran.stderr
    assert ADVICE in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["run"], ["recommend"], ["benchmark"]])
def test_help_needs_no_extra(arguments: list[str]) -> None:
    ran = run_command(*arguments, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage" in ran.stdout


def test_the_runtime_needs_no_extra() -> None:
    ran = run_without_extras("import kd_tf.runtime.recommender, kd_tf.preview.server, kd_tf.cli")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", ["data", "models", "Config", "Distiller", "evaluate", "run"])
def test_a_name_of_the_training_says_what_to_install(name: str) -> None:
    code = f"import kd_tf as kd\nkd.Recommender\nthing = kd.{name}"
    ran = run_without_extras(code + (".MLPStudent\n" if name == "models" else "\n"))
    assert ran.returncode == 1
    assert ADVICE in ran.stderr


def test_only_a_missing_package_of_an_extra_is_explained() -> None:
    with pytest.raises(MissingExtraError) as caught, convert_import_errors():
        raise ModuleNotFoundError("no", name="scipy.sparse")
    assert (caught.value.name, caught.value.extra) == ("scipy", "train")
    for name in ("kd_tf.misspelled", None):
        with pytest.raises(ModuleNotFoundError, match=r"^no$"), convert_import_errors():
            raise ModuleNotFoundError("no", name=name)


def test_the_first_missing_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_modules("numba", "onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="onnx is missing") as caught:
        require_modules("numba", "onnx")
    assert "kd_tf[benchmark]" in str(caught.value)

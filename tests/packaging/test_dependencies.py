"""setup.cfg declares what is imported: the base install for the runtime, extras for the rest."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from kd_tf.extras import EXTRAS

ROOT = Path(__file__).parents[2]
RUNTIME_MODULES = (
    "kd_tf.runtime",
    "kd_tf.preview",
    "kd_tf.cli",
    "kd_tf.extras",
    "kd_tf.report.console_tables",
    "kd_tf.tflite.benchmark.benchmark",
)
"""Modules and packages that work with the base install. So does all that they import at the top."""

OPTIONAL = {("kd_tf/runtime/measure/worker.py", "onnxruntime")}
"""Imports in functions of the runtime that only run after the extra was found."""

NOT_INSTALLED_BY_PIP = {"tflite_runtime", "_typeshed"}
"""Imported by a test program that runs in an environment of its own (see the Makefile), and by
type checkers only."""


@dataclass(frozen=True)
class Import:
    """One import statement: the module, the file and whether it runs when the file is imported."""

    module: str
    path: Path
    is_at_top: bool

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()} imports {self.module}"


def list_imports(path: Path) -> list[Import]:
    return [Import(name, path, at_top) for name, at_top in walk(ast.parse(path.read_text("utf-8")))]


def walk(node: ast.AST, at_top: bool = True) -> Iterator[tuple[str, bool]]:
    """Name and place of every import, also of ``importlib.import_module("x")``."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, at_top
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "relative imports are not used"
        yield node.module or "", at_top
        for alias in node.names:  # it may be a module
            yield f"{node.module}.{alias.name}", at_top
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in {"import_module", "_import_package"} and isinstance(node.args[0].value, str):
            yield node.args[0].value, False
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        at_top = False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        at_top = False
    for child in ast.iter_child_nodes(node):
        yield from walk(child, at_top)


def find_file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def list_runtime_files() -> set[Path]:
    """Files of the runtime's modules and all that they import at the top."""
    reached: set[Path] = set()
    waiting = [
        path
        for path in (ROOT / "kd_tf").rglob("*.py")
        if any(f"{name_module(path)}.".startswith(f"{name}.") for name in RUNTIME_MODULES)
    ]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        # Importing a module imports the packages around it.
        waiting += [file for parent in path.parents if (file := parent / "__init__.py").is_file()]
        imports = (one.module for one in list_imports(path) if one.is_at_top)
        waiting += [file for module in imports if (file := find_file(module))]
    return {path for path in reached if ROOT / "kd_tf" in path.parents}


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def read_requirements() -> dict[str, set[str]]:
    """Names of distributions, normalized, for the base install ("") and every extra."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    sections = {"": parser["options"]["install_requires"], **parser["options.extras_require"]}
    return {
        name: {
            normalize(re.split(r"[\[<>=;~! ]", line)[0])
            for line in text.splitlines()
            if line.strip() and not line.startswith("#")
        }
        - {"kd-tf"}
        for name, text in sections.items()
    }


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


REQUIREMENTS = read_requirements()
DISTRIBUTIONS = {
    module: {normalize(name) for name in names}
    for module, names in metadata.packages_distributions().items()
}
FILES = sorted((ROOT / "kd_tf").rglob("*.py"))
RUNTIME_FILES = list_runtime_files()


def find_undeclared(paths: list[Path], extras: tuple[str, ...]) -> list[str]:
    declared = set.union(*(REQUIREMENTS[name] for name in ("", *extras)))
    ours = {"kd_tf", *(path.name for path in ROOT.iterdir())}
    return sorted(
        {
            str(one)
            for path in paths
            for one in list_imports(path)
            if one.root not in sys.stdlib_module_names
            and one.root not in ours | NOT_INSTALLED_BY_PIP
            and (path.relative_to(ROOT).as_posix(), one.root) not in OPTIONAL
            and not DISTRIBUTIONS.get(one.root, {normalize(one.root)}) & declared
        }
    )


def test_the_runtime_imports_what_the_base_install_has() -> None:
    assert {"runtime", "preview", "cli"} <= {
        path.relative_to(ROOT / "kd_tf").parts[0] for path in RUNTIME_FILES
    }
    assert find_undeclared(sorted(RUNTIME_FILES), ()) == []


def test_all_that_kd_tf_imports_is_in_the_base_install_or_the_extra_train() -> None:
    optional = {
        ROOT / "kd_tf" / "tflite" / "benchmark" / "peers.py": "benchmark",
        ROOT / "kd_tf" / "data" / "formats" / "workbook.py": "excel",
        **dict.fromkeys((ROOT / "kd_tf" / "encoders").glob("*.py"), "text"),
        **dict.fromkeys((ROOT / "kd_tf" / "encoders" / "images").glob("*.py"), "image"),
        ROOT / "kd_tf" / "data" / "synthetic" / "covers.py": "image",
    }
    assert find_undeclared([path for path in FILES if path not in optional], ("train",)) == []
    for path, extra in optional.items():
        assert find_undeclared([path], ("train", extra)) == []


@pytest.mark.slow
def test_programs_and_tests_import_what_the_extra_dev_brings() -> None:
    paths = [path for name in ("benchmarks", "export", "scripts") for path in list_files(name)]
    assert find_undeclared(paths, ("train", "benchmark")) == []
    assert (
        find_undeclared(
            list_files("tests"), ("train", *("benchmark", "excel", "text", "image", "dev", "fuzz"))
        )
        == []
    )


def list_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_package_of_an_extra_is_recognized(extra: str) -> None:
    _, modules = EXTRAS[extra]
    assert set.union(*(DISTRIBUTIONS[module] for module in modules)) >= REQUIREMENTS[extra]
    assert all(DISTRIBUTIONS[module] & REQUIREMENTS[extra] for module in modules)


def test_nothing_is_declared_that_nothing_imports() -> None:
    modules = {one.root for path in FILES for one in list_imports(path)}
    imported = set.union(*(DISTRIBUTIONS.get(module, set()) for module in modules))
    for extra in ("", "train", "benchmark", "excel", "image"):
        assert REQUIREMENTS[extra] - imported == set()


def test_every_requirement_is_pinned_for_the_tests() -> None:
    pinned = {
        normalize(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    }
    extras = ("", "train", "benchmark", "excel", "text", "image", "notebook", "dev")
    assert set.union(*(REQUIREMENTS[name] for name in extras)) - pinned == set()

"""The code speaks plainly: verbs for functions, nouns for classes, no vague names.

Held over the syntax tree of `kd_tf`, so that the language of the glossary
(docs/reference/glossary.md) stays the language of the code.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "kd_tf").rglob("*.py"))
VERBS = frozenset((Path(__file__).with_name("verbs.txt")).read_text("utf-8").split())

VAGUE = frozenset(
    [
        "one",
        "some",
        "found",
        "there",
        "own",
        "asked",
        "told",
        "known",
        "left",
        "drawn",
        "wanted",
        "kept",
    ]
)
"""Names that say nothing of what they hold."""

PARTICIPLE = re.compile(
    r"^_*(?:[a-z]+ed|learnt|found|known|drawn|kept|left|given|taken|shown|made|worn|told|heard|"
    r"seen|spent|sent|built|chosen)$"
)
NOUNS_IN_ED = frozenset({"seed", "embed", "feed", "need", "speed", "red"})
"""Words in -ed that are no participles."""

NAMES_OF_A_CONTRACT = frozenset({"chosen", "isolated"})
"""A key of results.json and an argument of `Recommender.load`, which keep their names."""

FUNCTIONS_NAMED_BY_NOUNS = frozenset({"app", "main"})
"""Module-level functions that need no verb: entry points, which their callers name."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that the module gives a name to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, Definition | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def is_vague(name: str) -> bool:
    bare = name.strip("_")
    return bare in VAGUE or (
        bool(PARTICIPLE.match(name)) and bare not in NOUNS_IN_ED | NAMES_OF_A_CONTRACT
    )


def show(offenders: list[str]) -> str:
    return "".join(f"\n  {offender}" for offender in offenders)


def is_public(name: str) -> bool:
    return not name.startswith("_")


def starts_with_a_verb(name: str) -> bool:
    return name.lstrip("_").split("_")[0] in VERBS


def first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n")[0]


def definitions_with_docstrings(tree: ast.Module) -> Iterator[Definition | ast.ClassDef]:
    """Public classes and module-level functions; of an overloaded one, what stands for all."""
    for node in tree.body:
        if isinstance(node, Definition | ast.ClassDef) and is_public(node.name):
            decorators = [getattr(decorator, "id", "") for decorator in node.decorator_list]
            if "overload" not in decorators:
                yield node


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 200
    assert len(VERBS) > 100


def test_module_level_functions_start_with_a_verb() -> None:
    others = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path in MODULES
        for node in parse(path).body
        if isinstance(node, Definition)
        and node.name not in FUNCTIONS_NAMED_BY_NOUNS
        and not node.name.startswith("__")
        and not starts_with_a_verb(node.name)
    ]
    assert not others, "name them by a verb, or add a plain one to tests/words/verbs.txt:" + show(
        others
    )


def test_no_name_is_vague_or_a_bare_participle() -> None:
    wrong = [
        f"{name_of(path)}:{line}: {name}"
        for path in MODULES
        for line, name in bound_names(parse(path))
        if is_vague(name)
    ]
    assert not wrong, "say what they hold or do:" + show(wrong)


def test_every_module_public_class_and_function_has_a_docstring() -> None:
    silent = []
    for path in MODULES:
        tree = parse(path)
        if tree.body and not ast.get_docstring(tree):
            silent.append(f"{name_of(path)}:1: the module")
        silent += [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for node in definitions_with_docstrings(tree)
            if len(first_line(ast.get_docstring(node))) < 10
        ]
    assert not silent, "say in a docstring what they are or do:" + show(silent)


def test_first_lines_end_like_a_sentence() -> None:
    """A first line that runs on is no line that a list of names can show."""
    wrong = [
        f"{name_of(path)}:{node.lineno}: {line}"
        for path in MODULES
        for node in definitions_with_docstrings(parse(path))
        if not (line := first_line(ast.get_docstring(node))).endswith((".", ":"))
    ]
    assert not wrong, "end the first line with a full stop:" + show(wrong)


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("def asked():\n    '''Returns what was asked.'''\n", "verb"),
        ("def compute():\n    '''Computes.'''\n    found = 1\n", "vague"),
        ("def compute():\n    '''Computes.'''\n    coded = 1\n", "vague"),
        ("def compute(one):\n    '''Computes.'''\n", "vague"),
    ],
)
def test_the_checks_see_what_they_are_for(source: str, test: str) -> None:
    tree = ast.parse(source)
    if test == "verb":
        assert not starts_with_a_verb(tree.body[0].name)
    else:
        assert any(is_vague(name) for _, name in bound_names(tree))

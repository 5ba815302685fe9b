"""The documentation names what exists: files, headings, options, settings, modules and classes."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from kd_tf import config
from kd_tf.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

MAX_LINE_LENGTH = 100
SHELL = ("", "sh", "bash", "shell", "console")
"""Languages of blocks with commands."""

FREE_WIDTH = ("java",)
"""Languages of blocks with lines of any length: the Java class has to stay below 40 lines."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
SCRIPT = re.compile(r"(?:benchmarks|export|scripts|tests)/[\w/]+\.py")
SOURCE_PATH = re.compile(
    r"(?:kd_tf|tests|benchmarks|export|scripts|notebooks|web_demo|android_demo)/[\w./-]*"
)


@dataclass(frozen=True)
class Block:
    """A code block of a page: its language and its text."""

    language: str
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    return page.read_text("utf-8")


def read_prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", read(page))


def list_blocks(page: Path) -> list[Block]:
    return [Block(language, text) for _, language, text in FENCE.findall(read(page))]


def list_inline_code(page: Path) -> list[str]:
    return [" ".join(code.split()) for _, code in INLINE_CODE.findall(read_prose(page))]


def list_links(page: Path) -> list[str]:
    """Targets of all relative links and images."""
    targets = LINK.findall(INLINE_CODE.sub(" ", read_prose(page)))
    return [target for target in targets if "://" not in target and "mailto:" not in target]


def list_anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    anchors: set[str] = set()
    for heading in HEADING.findall(read_prose(page)):
        text = LINK.sub(lambda link: link.group(0).split("]")[0][1:], heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
        number = 1
        anchor = slug
        while anchor in anchors:
            anchor = f"{slug}-{number}"
            number += 1
        anchors.add(anchor)
    return anchors


def list_commands(page: Path) -> Iterator[list[str]]:
    """The words of every command in shell blocks and in inline code that begins with a program."""
    lines = [
        line
        for block in list_blocks(page)
        if block.language in SHELL
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    lines += [
        code for code in list_inline_code(page) if re.match(r"(\S*/)?(kd-tf|python|make) ", code)
    ]
    for line in lines:
        try:
            words = shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:  # an open quote: not a command
            continue
        if words:
            yield words


def get_option_names(command: Any) -> set[str]:
    """Names of the options of a command, short ones and negated ones too."""
    names = {"--help", "-h"}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            names.update([*parameter.opts, *parameter.secondary_opts])
    return names


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    """The commands of the command line, by name."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def find_setting(path: str) -> bool:
    """Whether the configuration of a task has a setting ``section.key``."""
    return any(find_key(path, section) for section in (config.Config, config.RankingConfig))


def find_key(path: str, model: Any) -> bool:
    for key in path.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return True  # the keys of a mapping, such as those of loss_settings
        if key not in model.model_fields:
            return False
        model = model.model_fields[key].annotation
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in list_links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_wrong = not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in list_anchors(target)
        )
        if is_wrong:
            broken.append(link)
    assert not broken


def test_every_page_of_the_docs_is_linked() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in list_links(page)
    }
    index = ROOT / "docs" / "index.md"
    orphans = [name_of(page) for page in PAGES[2:] if page not in linked and page != index]
    assert not orphans


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_are_short(page: Path) -> None:
    """Tables and the targets of links may be longer."""
    wide = FENCE.sub(lambda m: "" if m.group(2) in FREE_WIDTH else m.group(0), read(page))
    long_lines = [
        line
        for line in wide.splitlines()
        if not line.lstrip().startswith("|")
        and len(LINK.sub("", re.sub(r"https?://\S+", "", line))) > MAX_LINE_LENGTH
    ]
    assert not long_lines


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_in_code_exist(page: Path) -> None:
    missing = [
        code
        for code in list_inline_code(page)
        if SOURCE_PATH.fullmatch(code) and not (ROOT / code).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_have_the_options_that_pages_give_them(
    page: Path, commands: dict[str, Any]
) -> None:
    wrong = []
    for words in list_commands(page):
        is_command = Path(words[0]).name == "kd-tf" and len(words) > 1
        if not is_command or words[1].startswith("-") or words[1].isupper():  # kd-tf COMMAND
            continue
        if words[1] not in commands:
            wrong.append(" ".join(words))
            continue
        names = get_option_names(commands[words[1]])
        for word, following in zip(words[2:], [*words[3:], ""], strict=False):
            option = word.partition("=")[0]
            if option.startswith("-") and not re.match(r"-\d", option) and option not in names:
                wrong.append(f"kd-tf {words[1]} {option}")
            if word == "--set" and not find_setting(following.partition("=")[0]):
                wrong.append(f"--set {following}")
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_in_the_text_exist(page: Path, commands: dict[str, Any]) -> None:
    names = {name for command in commands.values() for name in get_option_names(command)}
    scripts = "".join(read(ROOT / script) for script in sorted(set(SCRIPT.findall(read(page)))))
    options = [
        option
        for code in list_inline_code(page)
        if code.startswith("--")
        for option in re.findall(r"(?:^| )(--[a-z][a-z-]*)", code)
    ]
    assert not [name for name in options if name not in names and f'"{name}"' not in scripts]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_have_the_options_that_pages_give_them(page: Path) -> None:
    wrong = []
    for words in list_commands(page):
        if Path(words[0]).name != "python" or len(words) < 2 or not SCRIPT.fullmatch(words[1]):
            continue
        path = ROOT / words[1]
        if not path.exists():
            wrong.append(words[1])
            continue
        script = read(path)
        wrong += [
            f"{words[1]} {word}"
            for word in words[2:]
            if word.startswith("--") and f'"{word.partition("=")[0]}"' not in script
        ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    wrong = []
    for words in list_commands(page):
        if words[0] != "make":
            continue
        folder = ROOT / words[words.index("-C") + 1] if "-C" in words else ROOT
        targets = [
            word
            for word, before in zip(words[1:], words, strict=False)
            if before != "-C" and not word.startswith("-") and "=" not in word
        ]
        makefile = read(folder / "Makefile")
        wrong += [
            target
            for target in targets
            if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)
        ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_in_the_text_exist(page: Path) -> None:
    sections = "|".join(
        name
        for name, field in config.Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    )
    setting = re.compile(rf"((?:{sections})(?:\.[a-z_]+)+)(?: ?= ?.+)?")
    wrong = []
    for code in list_inline_code(page):
        match = setting.fullmatch(code)
        is_file = re.search(r"\.(md|py|npz|json|svg|html)$", code)
        if match and not is_file and not find_setting(match.group(1)):
            wrong.append(code)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_toml_blocks_are_configurations(page: Path) -> None:
    for block in list_blocks(page):
        if block.language == "toml":
            values = tomllib.loads(block.text)
            is_ranking = values.get("task") == "ranking"
            config.from_values(values, config.RankingConfig if is_ranking else config.Config)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile(page: Path) -> None:
    for block in list_blocks(page):
        if block.language == "python":
            ast.parse(block.text)


def resolve(name: str) -> object:
    """The module, class, function or attribute of a dotted name.

    Raises:
        AttributeError: There is none.
    """
    parts = name.split(".")
    value: Any = importlib.import_module(parts[0])
    for index, part in enumerate(parts[1:], start=1):
        if hasattr(value, part):
            value = getattr(value, part)
            continue
        fields = {
            **getattr(value, "__dataclass_fields__", {}),
            **getattr(value, "__annotations__", {}),
        }
        if part in fields and index == len(parts) - 1:
            return fields[part]
        try:
            value = importlib.import_module(".".join(parts[: index + 1]))
        except ModuleNotFoundError as error:
            raise AttributeError(name) from error
    return value


def list_dotted_names(page: Path) -> set[str]:
    """Names of kd_tf in inline code, and those that Python blocks import or use."""
    names = {
        name
        for code in list_inline_code(page)
        for name in re.findall(r"(?<![\w/.])kd_tf(?:\.\w+)+", code)
    }
    for block in list_blocks(page):
        if block.language != "python":
            continue
        tree = ast.parse(block.text)
        aliases = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kd_tf":
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            if isinstance(node, ast.Import):
                own_imports = [alias for alias in node.names if alias.name.split(".")[0] == "kd_tf"]
                names.update(alias.name for alias in own_imports)
                aliases |= {alias.asname or "kd_tf": alias.name for alias in own_imports}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                root, _, rest = ast.unparse(node).partition(".")
                if root in aliases and re.fullmatch(r"[\w.]+", rest):
                    names.add(f"{aliases[root]}.{rest}")
    return names


def test_names_of_the_package_exist() -> None:
    """All pages in one test, which imports TensorFlow once."""
    wrong = []
    for page in PAGES:
        for name in sorted(list_dotted_names(page)):
            try:
                resolve(name)
            except (AttributeError, ImportError):
                wrong.append(f"{name_of(page)}: {name}")
    assert not wrong

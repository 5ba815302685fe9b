"""The pages on the command line and the configuration say what the code says."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel
from typer.main import get_command

from kd_tf.cli.app import app
from kd_tf.config import Config

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "write_reference", ROOT / "scripts" / "write_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize("name", ["command-line.md", "configuration.md"])
def test_a_page_is_the_one_that_make_docs_reference_writes(name: str) -> None:
    page = load_script().PAGES[name]()
    assert (FOLDER / name).read_text("utf-8") == page, "run make docs-reference"


def test_the_command_line_lists_every_option() -> None:
    text = (FOLDER / "command-line.md").read_text("utf-8")
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        section = text.partition(f"\n## kd-tf {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                row = option.upper() if parameter.param_type_name == "argument" else option
                assert f"`{row}`" in section


def test_the_configuration_lists_every_setting() -> None:
    text = (FOLDER / "configuration.md").read_text("utf-8")

    def list_keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from list_keys(inner, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", field.description

    keys = dict(list_keys(Config))
    assert not [key for key in keys if f"| `{key}` |" not in text]
    assert not [key for key, description in keys.items() if not description]

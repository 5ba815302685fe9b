"""Examples in docstrings run and show what they say, and the public names have one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import kd_tf as kd

pytestmark = pytest.mark.slow

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGES = sorted(
    info.name for info in pkgutil.iter_modules(kd.__path__, "kd_tf.") if info.name != "kd_tf.cli"
)
MIN_SHARE_OF_CLASSES = 0.3


def list_modules(name: str) -> list[ModuleType]:
    """The module or package of this name, and all below it."""
    module = importlib.import_module(name)
    below = (
        [info.name for info in pkgutil.walk_packages(module.__path__, f"{name}.")]
        if hasattr(module, "__path__")
        else []
    )
    return [module, *(importlib.import_module(other) for other in below)]


def has_example(owner: object) -> bool:
    return ">>>" in (inspect.getdoc(owner) or "")


@pytest.mark.parametrize("package", ["kd_tf", *PACKAGES])
def test_examples_show_what_they_say(package: str) -> None:
    modules = [kd] if package == "kd_tf" else list_modules(package)
    failed = {
        module.__name__: result.failed
        for module in modules
        if (result := doctest.testmod(module, optionflags=OPTIONS)).failed
    }
    assert not failed, failed


def test_every_name_at_the_top_has_an_example() -> None:
    others = {"keras"}  # another project's
    without = [name for name in kd.__all__ if not has_example(getattr(kd, name))]
    without = sorted(set(without) - others)
    assert not without


def test_a_third_of_the_public_classes_have_one() -> None:
    classes = {
        owner
        for package in PACKAGES
        for module in list_modules(package)
        for name, owner in vars(module).items()
        if inspect.isclass(owner) and owner.__module__ == module.__name__ and name[0] != "_"
    }
    with_example = [owner for owner in classes if has_example(owner)]
    assert len(with_example) >= MIN_SHARE_OF_CLASSES * len(classes)
    print(f"{len(with_example)} of {len(classes)}")

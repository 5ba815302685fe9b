"""LiteRT's files come from the checkout, else once from npm, in the version of the lock file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.errors import UserError
from kd_tf.preview.litert import FILES, get_litert_files


@pytest.fixture
def wheel_page(page: Path) -> Path:
    """As in a wheel: without node_modules."""
    shutil.rmtree(page / "node_modules")
    return page


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user whose npm is that of ``put_npm``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    return tmp_path / "cache"


def test_the_import_between_the_packages_is_one_that_browsers_follow(page: Path) -> None:
    files = get_litert_files(page, print)
    assert set(files) == set(FILES)
    assert files["core.js"].startswith(b'import "./wasm-utils.js";')
    # The others stand as npm brought them.
    assert files["wasm-utils.js"].startswith(b'import "@litertjs/wasm-utils";')


def test_an_import_that_is_not_there_any_more_is_noticed(page: Path) -> None:
    (page / "node_modules" / FILES["core.js"]).write_text("nothing", "utf-8")
    with pytest.raises(RuntimeError, match="0 places"):
        get_litert_files(page, print)


def test_packages_of_another_version_are_refused(page: Path) -> None:
    package = page / "node_modules" / "@litertjs" / "core" / "package.json"
    package.write_text(json.dumps({"version": "1.0.0"}), "utf-8")
    with pytest.raises(UserError, match=r"1\.0\.0, the page needs 2\.5\.3\n  Run: npm ci --prefix"):
        get_litert_files(page, print)


def test_npm_is_asked_once(wheel_page: Path, cache: Path, put_npm: Callable[..., Path]) -> None:
    log = put_npm()
    said: list[str] = []
    first = get_litert_files(wheel_page, said.append)
    assert log.read_text("utf-8").split() == [
        *("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"),
    ]
    assert len(said) == 1
    assert "@litertjs/core 2.5.3" in said[0]
    assert str(cache) in said[0]
    assert get_litert_files(wheel_page, said.append) == first
    assert len(said) == 1
    assert len(log.read_text("utf-8").splitlines()) == 1
    # Only what the page loads is kept.
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == sorted(FILES)


def test_another_lock_file_is_another_version(
    wheel_page: Path, cache: Path, put_npm: Callable[..., Path]
) -> None:
    log = put_npm()
    get_litert_files(wheel_page, print)
    lock = wheel_page / "package-lock.json"
    lock.write_text(lock.read_text("utf-8").replace("2.5.3", "2.5.4"), "utf-8")
    get_litert_files(wheel_page, print)
    assert len(log.read_text("utf-8").splitlines()) == 2


def test_a_missing_npm_is_said(
    wheel_page: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert shutil.which("npm") is None
    with pytest.raises(UserError, match="npm is needed once to download @litertjs/core") as refused:
        get_litert_files(wheel_page, print)
    assert "Install Node.js" in str(refused.value)
    assert not cache.exists()


def test_what_npm_says_when_it_fails_is_passed_on_and_nothing_is_kept(
    wheel_page: Path, cache: Path, put_npm: Callable[..., Path]
) -> None:
    put_npm("EINTEGRITY")
    with pytest.raises(UserError, match="npm error EINTEGRITY"):
        get_litert_files(wheel_page, print)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    # The next try starts anew.
    put_npm()
    assert set(get_litert_files(wheel_page, print)) == set(FILES)

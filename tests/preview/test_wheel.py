"""What pip installs has the whole page, and nothing that npm brought."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from kd_tf.preview.site import PAGE, PAGE_FILES

CHECKOUT = Path(__file__).parents[2]


def test_a_wheel_carries_the_page(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(CHECKOUT / name, source / name)
    for name in ("kd_tf", "web_demo"):
        # Links stay links, as git has them.
        shutil.copytree(
            CHECKOUT / name,
            source / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__"),
        )
    (source / "web_demo" / "node_modules" / "stray").mkdir(parents=True)
    (source / "web_demo" / "node_modules" / "stray" / "index.js").write_text("", "utf-8")
    command = ["wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", tmp_path]
    subprocess.run([sys.executable, "-m", "pip", *map(str, command), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    packed = tmp_path / "installed" / "kd_tf" / "preview" / "page"
    wanted = {path for pattern in PAGE_FILES for path in PAGE.glob(pattern)}
    wanted |= {PAGE / name for name in ("package.json", "package-lock.json", ".npmrc")}
    assert {
        path.relative_to(packed): path.read_bytes() for path in packed.rglob("*") if path.is_file()
    } == {path.relative_to(PAGE): path.read_bytes() for path in wanted}


def test_the_lock_file_names_versions_and_hashes_and_no_host() -> None:
    lock = (PAGE / "package-lock.json").read_text("utf-8")
    assert '"@litertjs/core": "2.5.3"' in lock
    assert "://" not in lock
    packages = lock.count('"node_modules/')
    assert packages == lock.count('"integrity": "sha512-')

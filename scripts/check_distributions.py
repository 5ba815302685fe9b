"""Checks what the sdist and the wheel of a folder hold. Run by `make dist`.

Usage: ``python scripts/check_distributions.py dist``
"""

from __future__ import annotations

import email
import re
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
SDIST_FILES = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "constraints.txt"} | {
    "pyproject.toml",
    "setup.cfg",
}
PAGE_IGNORES = ("node_modules", "tsconfig.json")
"""What lies in the page's folder and is only for its development."""
MAX_BYTES = 5_000_000


def list_package_files() -> set[str]:
    """Lists the files of the checkout that a wheel must hold, by their path in it."""
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kd_tf").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # `Path.rglob` does not follow the link to the page.
    page = ROOT / "kd_tf" / "preview" / "page"
    files |= {
        f"kd_tf/preview/page/{path.relative_to(page.resolve()).as_posix()}"
        for path in page.resolve().rglob("*")
        if path.is_file() and not set(path.relative_to(page.resolve()).parts) & set(PAGE_IGNORES)
    }
    return files


def check_wheel(wheel: Path) -> list[str]:
    """Lists what is wrong with a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata_name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(metadata_name))
        entry_points = archive.read(metadata_name.replace("METADATA", "entry_points.txt")).decode()
        packaged = {name for name in names if ".dist-info/" not in name}
        expected = list_package_files()
        faults = [f"{name} is missing" for name in sorted(expected - packaged)]
        faults += [f"{name} should not be there" for name in sorted(packaged - expected)]
        faults += [
            f"{name} differs from the checkout"
            for name in sorted(expected & packaged)
            if archive.read(name) != (ROOT / name).read_bytes()
        ]
    if metadata["Version"] != read_version():
        faults.append(f"its version is {metadata['Version']}, not {read_version()}")
    if metadata["License"] != "Apache-2.0" or "# kd_tf" not in str(metadata.get_payload()):
        faults.append("METADATA lacks the licence or the README")
    base = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    if any("tensorflow" in line for line in base):
        faults.append("the base install requires TensorFlow")
    if "kd-tf = kd_tf.cli:main" not in entry_points:
        faults.append("the command kd-tf is missing")
    return faults


def check_sdist(sdist: Path) -> list[str]:
    """Lists what is wrong with an sdist."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    files = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in members}
    faults = [f"{name} is missing" for name in sorted((SDIST_FILES | list_package_files()) - files)]
    faults += [
        f"{member.name} is a link" for member in members if not (member.isfile() or member.isdir())
    ]
    faults += [f"{name} should not be there" for name in sorted(files) if name.startswith("tests/")]
    return faults


def read_version() -> str:
    """Reads the version of the checkout without importing it."""
    match = re.search(r'^__version__ = "(.+)"$', (ROOT / "kd_tf/__init__.py").read_text(), re.M)
    assert match is not None
    return match[1]


def main(folder: Path) -> int:
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    faults = []
    if (len(wheels), len(sdists)) != (1, 1):
        faults.append(f"{folder}: one wheel and one sdist are expected")
    for path, check in [(path, check_wheel) for path in wheels] + [
        (path, check_sdist) for path in sdists
    ]:
        faults += [f"{path}: {fault}" for fault in check(path)]
        if path.stat().st_size > MAX_BYTES:
            faults.append(f"{path}: {path.stat().st_size:,} bytes are more than {MAX_BYTES:,}")
        print(f"{path}: {path.stat().st_size:,} bytes")
    print("\n".join(faults) or "both hold what they should", file=sys.stderr if faults else None)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

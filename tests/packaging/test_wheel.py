"""The wheel holds all of the package, and works with no more than the base install."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "bundle-v1"
BINARIES = "Scripts" if os.name == "nt" else "bin"


def copy_source(folder: Path) -> None:
    """Copies what the build reads. Links stay links, as git has them."""
    for name in ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("CHANGELOG.md", "CITATION.cff", "constraints.txt"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("kd_tf", "web_demo"):
        ignore = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
    # What npm brings must not get into a wheel.
    stray = folder / "web_demo" / "node_modules" / "stray"
    stray.mkdir(parents=True)
    (stray / "index.js").write_text("", "utf-8")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    copy_source(source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what the base install requires, nothing else."""
    return make_environment(tmp_path_factory.mktemp("bare"), dist, ("",))


@pytest.fixture(scope="module")
def training(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what its extra [train] requires, nothing else."""
    return make_environment(tmp_path_factory.mktemp("training"), dist, ("", "train"))


def make_environment(folder: Path, dist: Path, extras: tuple[str, ...]) -> Path:
    """Makes a virtual environment with the wheel and its requirements.

    The requirements are links to what is installed for the tests: nothing is downloaded.
    """
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    (wheel,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / BINARIES / "python")]
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True)
    (packages,) = folder.glob("**/site-packages")
    (installed,) = metadata.distributions(name="kd_tf", path=[str(packages)])
    for distribution in find_requirements(installed, extras):
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = packages / name
            if not link.exists():
                link.symlink_to(Path(str(distribution.locate_file(name))).resolve())
    return folder


def find_requirements(
    distribution: metadata.Distribution, extras: tuple[str, ...]
) -> list[metadata.Distribution]:
    """Finds the installed distributions that one requires, and that those require."""
    found: dict[tuple[str, tuple[str, ...]], metadata.Distribution] = {}
    waiting = [(distribution, extras)]
    while waiting:
        parent, parent_extras = waiting.pop()
        for line in parent.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            key = (requirement.name, tuple(sorted(requirement.extras)))
            if key in found or not (
                marker is None or any(marker.evaluate({"extra": extra}) for extra in parent_extras)
            ):
                continue
            found[key] = metadata.distribution(requirement.name)
            waiting.append((found[key], ("", *requirement.extras)))
    return list(found.values())


def run(bare: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a program of the bare environment, away from the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(bare / BINARIES / command[0]), *map(str, command[1:])],
        cwd=bare,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read_titles() -> list[str]:
    catalog = json.loads((GOLDEN / "catalog.json").read_text("utf-8"))
    return [item["title"] for item in catalog["books"]]


@pytest.mark.slow
def test_sdist_and_wheel_hold_what_they_should(dist: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "check_distributions.py"), str(dist)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
def test_the_bare_environment_has_neither_tensorflow_nor_the_checkout(bare: Path) -> None:
    ran = run(bare, "python", "-c", "import kd_tf; print(kd_tf.__file__)")
    assert Path(ran.stdout.strip()).is_relative_to(bare)
    for module in ("tensorflow", "polars", "scipy", "numba", "jinja2", "pytest"):
        ran = run(bare, "python", "-c", f"import {module}")
        assert "ModuleNotFoundError" in ran.stderr


@pytest.mark.slow
def test_the_wheel_alone_recommends_from_a_bundle(bare: Path) -> None:
    titles = read_titles()
    history = ["--history", titles[0], "--history", titles[3]]
    ran = run(bare, "kd-tf", "recommend", GOLDEN, *history, "-k", "3", "--json", "-")
    assert (ran.returncode, ran.stderr) == (0, "")
    recommended = [row["title"] for row in json.loads(ran.stdout)["recommendations"]]
    assert len(set(recommended)) == 3
    assert set(recommended) <= set(titles) - {titles[0], titles[3]}


@pytest.mark.slow
def test_the_wheel_alone_times_a_file(bare: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ran = run(bare, "kd-tf", "benchmark", GOLDEN, "--competitors", "", "--json", figures, "-q")
    assert (ran.returncode, ran.stderr) == (0, "")
    (row,) = json.loads(figures.read_text("utf-8"))["models"]
    assert row["bytes"] == (GOLDEN / "model.tflite").stat().st_size
    assert row["latency_us"]["p50"] > 0


@pytest.mark.slow
def test_the_wheel_alone_shows_the_page(bare: Path, tmp_path: Path) -> None:
    """LiteRT for browsers comes from npm; here an empty file stands for each of its files."""
    arguments = ["kd-tf", "preview", str(GOLDEN), "--export", str(tmp_path / "site")]
    code = (
        "import sys, kd_tf.preview.site as site\n"
        "site.get_litert_files = lambda *_: {'core.js': b''}\n"
        f"sys.argv = {arguments!r}\n"
        "from kd_tf.cli import main\n"
        "main()\n"
    )
    ran = run(bare, "python", "-c", code)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.slow
def test_the_wheel_alone_says_how_to_get_the_training(bare: Path) -> None:
    ran = run(bare, "kd-tf", "demo")
    assert ran.returncode == 2
    assert "pip install 'kd_tf[train]'" in ran.stderr


@pytest.mark.slow
def test_the_wheel_with_its_training_extra_runs_the_demo(training: Path) -> None:
    """A package that only the tests' own environment has would be missing here."""
    for module in ("pytest", "onnx", "matplotlib"):
        assert "ModuleNotFoundError" in run(training, "python", "-c", f"import {module}").stderr
    settings = [
        *("--set", "data.synthetic_items=60", "--set", "data.synthetic_users=120"),
        *("--set", "teacher.training.epochs=1", "--set", "student.training.epochs=1"),
        *("--set", "export.recommendations=10", "--set", 'export.quantizations=["dynamic-int8"]'),
    ]
    ran = run(training, "kd-tf", "demo", *settings, "--out", "demo", "--quiet")
    assert ran.returncode == 0, ran.stderr
    books = json.loads((training / "demo" / "bundle" / "catalog.json").read_text("utf-8"))["books"]
    assert len(books) == 60

"""Bundles in a real browser: Debian's Chromium, driven from Node by playwright-core."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.models.students import STUDENTS
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import PAGE, Site, make_site
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

SCRIPTS = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SECONDS = 120

V, L, d, K, C = 10_000, 50, 32, 50, 100
"""The sizes that the page's figures are asked for, in the form that `kd-tf demo` bundles."""

WORDS = [
    "amber",
    "anchor",
    "autumn",
    "bell",
    "bridge",
    "candle",
    "city",
    "cloud",
    "copper",
    "crown",
    "dance",
    "desert",
    "door",
    "dream",
    "east",
    "echo",
    "ember",
    "empire",
    "feather",
    "field",
    "fire",
    "forest",
    "garden",
    "ghost",
    "glass",
    "harbour",
    "heart",
    "hill",
    "honey",
    "house",
    "iron",
    "island",
    "ivory",
    "keeper",
    "king",
    "lake",
    "lantern",
    "letter",
    "light",
    "map",
    "marsh",
    "memory",
    "midnight",
    "mirror",
    "moon",
    "mountain",
    "music",
    "north",
    "ocean",
    "orchard",
    "paper",
    "pearl",
    "queen",
    "rain",
    "river",
    "road",
    "salt",
    "sea",
    "secret",
    "shadow",
    "silver",
    "snow",
    "song",
    "star",
    "stone",
    "storm",
    "summer",
    "thread",
    "tide",
    "tower",
    "tree",
    "valley",
    "voice",
    "wave",
    "west",
    "wind",
    "winter",
    "wolf",
]
NAMES = [
    "Ade",
    "Bell",
    "Cruz",
    "Diaz",
    "Eze",
    "Frey",
    "Gold",
    "Hale",
    "Ito",
    "Jain",
    "Kaur",
    "Lind",
    "Moss",
    "Nagy",
    "Okoro",
    "Park",
]


def needs(what: str, *, is_there: bool, how: str) -> None:
    """Skips where something of the browser tests is missing; fails where CI should have it."""
    if is_there:
        return
    message = f"{what} is missing: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    needs("node", is_there=found is not None, how="install Node.js 20 or newer")
    return str(found)


@pytest.fixture(scope="session")
def modules() -> Path:
    folder = PAGE / "node_modules"
    needs(
        "web_demo/node_modules",
        is_there=(folder / "playwright-core").is_dir(),
        how="run npm ci --prefix web_demo",
    )
    return folder


@pytest.fixture(scope="session")
def run_node(node: str) -> Callable[..., Any]:
    """``run_node(script, **input)``: what a script of this folder answers."""

    def run(script: str, **given: Any) -> Any:
        done = subprocess.run(
            [node, str(SCRIPTS / script)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def run_browser(modules: Path, run_node: Callable[..., Any]) -> Callable[..., Any]:
    """As `run_node`, for the scripts that start Chromium."""
    needs(CHROMIUM, is_there=Path(CHROMIUM).exists(), how="apt-get install chromium")
    return lambda script, **given: run_node(script, chromium=CHROMIUM, **given)


@pytest.fixture(scope="session")
def tflite() -> Callable[[Quantization], bytes]:
    """``tflite(form)``: a perceptron of 10,000 books whose rows differ widely."""
    random = np.random.default_rng(0)
    rng.set_seed(0)
    student = STUDENTS["mlp"](num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    table = next(one for one in student.weights if one.shape == tf.TensorShape([V + 1, d]))
    table.assign(random.standard_normal((V + 1, d)).astype(np.float32) / 2)
    calibration = np.zeros((100, L), np.int32)
    for row, length in zip(calibration, random.integers(1, L + 1, len(calibration)), strict=True):
        row[:length] = random.choice(V, length, replace=False) + 1
    made: dict[Quantization, bytes] = {}

    def make(form: Quantization) -> bytes:
        if form not in made:
            with suppress_native_stderr():
                made[form] = convert(student, form, recommendations=K, calibration=calibration)
        return made[form]

    return make


@pytest.fixture(scope="session")
def catalog() -> list[dict[str, Any]]:
    """10,000 invented books; their ids are not the model's."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(1, V + 1):
        words = random.choice(WORDS, 3, replace=False)
        first, last = random.choice(NAMES, 2)
        rows.append(
            {
                "item_id": f"b{2 * number}",
                "title": f"The {words[0].title()} {words[1].title()} of {words[2].title()}"
                + (f" ({words[0].title()} Saga, #{number % 9 + 1})" if number % 4 == 0 else ""),
                "authors": f"{first}y {last}"
                + (f", Ann {first}" if number % 5 == 0 else "")
                + (", Mo Vale" if number % 3 == 1 else ""),
                "series": f"Long Saga, #{number}" if number % 5 == 0 else None,
                "year": 1950 + number % 75,
                "words": " ".join(words),
                "new": number % 3 == 0,
            }
        )
    rows[6] |= {
        "title": "三体与星河",
        "authors": "陈一舟",
        "series": "星河",
        "genre": "Science fiction",
        "text": "A story of <b>three</b> suns & one library.",
    }
    rows[7] |= {"title": '<img src=x onerror="alert(1)">', "authors": "=HYPERLINK(1)"}
    rows[8] = {"item_id": "a book / without a title?"}
    return rows


@pytest.fixture(scope="session")
def config() -> BundleConfig:
    return BundleConfig(
        name="Invented books",
        num_items=V,
        max_length=L,
        recommendations=K,
        candidates=C,
        signatures=("explain", "recommend", "score", "similar"),
        min_runtime_version="2.5.0",
        quantization="int8",
        metrics={"ndcg@10": 0.25, "ndcg@20": 0.27, "coverage@10": 0.8, "coverage@20": 0.9},
        dataset={"name": "invented", "users": 3000, "items": V, "seed": 42},
    )


@pytest.fixture(scope="session")
def bundle(
    tmp_path_factory: pytest.TempPathFactory,
    tflite: Callable[[Quantization], bytes],
    catalog: list[dict[str, Any]],
    config: BundleConfig,
) -> Callable[[Quantization], Bundle]:
    """``bundle(form)``: a sound bundle."""
    made: dict[Quantization, Bundle] = {}

    def make(form: Quantization) -> Bundle:
        if form not in made:
            made[form] = write_bundle(
                tmp_path_factory.mktemp("bundle") / "bundle",
                model=tflite(form),
                catalog=catalog,
                config=dataclasses.replace(config, quantization=form.value),
                model_card="# Invented books\n\nNobody wrote them.\n",
            )
        return made[form]

    return make


@pytest.fixture(scope="session")
def site(modules: Path, bundle: Callable[[Quantization], Bundle]) -> Site:
    return make_site(bundle(Quantization.INT8), print)


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Site], PreviewServer]]:
    """``serve(site)``: as ``kd-tf preview`` does, on a free port."""
    servers: list[tuple[PreviewServer, threading.Thread]] = []

    def start(site: Site) -> PreviewServer:
        server = PreviewServer(site, 0)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def address(site: Site, serve: Callable[[Site], PreviewServer]) -> str:
    """Of the page for the bundle of whole numbers."""
    return serve(site).url

"""Damaged bundles are refused, whatever the damage, by a process that must not crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import itertools, random, sys
from pathlib import Path
from kd_tf.errors import UserError
from kd_tf.runtime.recommender import Recommender

folder = Path(sys.argv[1])
whole = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
assert set(whole) == {"MODEL_CARD.md", "catalog.json", "config.json", "model.tflite"}
Recommender.load(folder)
drawn = random.Random(0)


def refused(what, **changed):
    for name, content in changed.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
    try:
        Recommender.load(folder)
    except UserError:
        pass
    else:
        sys.exit(f"taken for a bundle: {what}")
    for name in changed:
        (folder / name).write_bytes(whole[name])


def flipped(content, bit):
    content = bytearray(content)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


for name, content in whole.items():
    bits = range(8 * len(content))
    if name != "config.json":
        bits = drawn.sample(bits, min(400, len(bits)))
    for bit in bits:
        refused(f"bit {bit} of {name} flipped", **{name: flipped(content, bit)})
    sizes = range(len(content))
    for size in {0, 1, len(content) - 1, *drawn.sample(sizes, min(100, len(content)))}:
        refused(f"{name} cut at {size}", **{name: content[:size]})
    refused(f"{name} longer", **{name: content + b" "})
    refused(f"{name} twice", **{name: content * 2})
    refused(f"{name} missing", **{name: None})
for one, other in itertools.combinations(whole, 2):
    refused(f"{one} and {other} swapped", **{one: whole[other], other: whole[one]})
Recommender.load(folder)
"""


@pytest.mark.slow
def test_any_damage_is_refused_and_nothing_crashes(bundle):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bundle)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

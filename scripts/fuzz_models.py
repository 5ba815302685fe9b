"""Changes .tflite files at random and runs whatever the checks let through, each in a process.

    python scripts/fuzz_models.py runs/demo/artifacts/*.tflite --mutants 100000

A mutant that ends its process, hangs, or raises anything but a UserError is written to --out, with
its number; the same --seed makes the same mutants.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import multiprocessing
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.flatbuffer_check import Field, FlatBuffer, StructureError
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.model_check import SCHEMA, UNIONS

SECONDS_PER_MUTANT = 10
"""Of processor time, which does not grow where other work runs beside it."""

MAX_WAIT_SECONDS = 300
"""Of a mutant that waits for something that does not come."""

VALUES = (0, 1, 2, 3, 4, 8, 127, 128, 255, 256, 65_535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def main() -> int:
    options = parse_options()
    contents = [path.read_bytes() for path in options.models]
    begin = time.monotonic()
    with multiprocessing.Pool(options.processes) as pool:
        jobs = (
            (contents, [path.name for path in options.models], options.seed, number, options.out)
            for number in range(0, options.mutants, BLOCK)
        )
        outcomes: collections.Counter[str] = collections.Counter()
        for counts in pool.imap_unordered(try_block, jobs):
            outcomes += counts
            done = sum(outcomes.values())
            print(f"\r{done:,} {dict(outcomes)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{sum(outcomes.values()):,} mutants in {(time.monotonic() - begin) / 3600:.2f} hours")
    for outcome, count in outcomes.most_common():
        print(f"{count:>12,}  {outcome}")
    return int(any(outcome.startswith("FAULT") for outcome in outcomes))


BLOCK = 200


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=Path, help=".tflite files of kd_tf")
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("mutants"), help="folder for what failed")
    return parser.parse_args()


def try_block(job: tuple[list[bytes], list[str], int, int, Path]) -> collections.Counter[str]:
    """Tries `BLOCK` mutants and counts their outcomes."""
    contents, names, seed, first, out = job
    outcomes: collections.Counter[str] = collections.Counter()
    mutants = {
        number: make_mutant(contents, seed, number) for number in range(first, first + BLOCK)
    }
    while mutants:
        for number, outcome in zip(list(mutants), run_apart(mutants), strict=False):
            outcomes[outcome] += 1
            which, mutant = mutants.pop(number)
            if outcome.startswith("FAULT"):
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{seed}-{number}-{names[which]}").write_bytes(mutant)
    return outcomes


def make_mutant(contents: list[bytes], seed: int, number: int) -> tuple[int, bytes]:
    """Returns the place of the model that was changed, and the mutant."""
    random = np.random.default_rng([seed, number])
    which = int(random.integers(len(contents)))
    return which, mutate(contents[which], random)


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Changes one to four places of a file: half of the time any bytes, else only its numbers."""
    if random.integers(2):
        return mutate_numbers(content, random)
    mutant = bytearray(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 4]))):
        kind = random.integers(7)
        position = int(random.integers(len(mutant)))
        word = position & ~3
        if kind == 0:
            mutant[position] = int(random.integers(256))
        elif kind == 1:
            mutant[position] ^= 1 << int(random.integers(8))
        elif kind == 2 and word + 4 <= len(mutant):
            struct.pack_into("<I", mutant, word, int(random.choice(VALUES)))
        elif kind == 3 and word + 4 <= len(mutant):
            value = struct.unpack_from("<I", mutant, word)[0] + int(random.integers(-8, 9))
            struct.pack_into("<I", mutant, word, value % 2**32)
        elif kind == 4:
            other = int(random.integers(len(mutant))) & ~3
            mutant[word : word + 4] = mutant[other : other + 4].ljust(4, b"\0")
        elif kind == 5:
            mutant[position] = (mutant[position] + int(random.integers(-2, 3))) % 256
        elif kind == 6 and random.integers(20) == 0:
            del mutant[position:]
            mutant += b"\0" * 8
    return bytes(mutant)


class Recorder(FlatBuffer):
    """Finds where in a file its numbers are: types, indices, shapes, options and small buffers."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content, SCHEMA, UNIONS)
        self.places: list[tuple[int, str]] = []
        self.parse("Model")

    def _parse_field(
        self, position: int, field: Field, table: str, values: Mapping[str, Any]
    ) -> Any:
        if field.kind in FORMATS:
            self.places.append((position, FORMATS[field.kind]))
        return super()._parse_field(position, field, table, values)

    def _parse_vector(self, position: int, kind: str) -> Any:
        vector = super()._parse_vector(position, kind)
        if kind in FORMATS and len(vector) <= MAX_SMALL:
            form = FORMATS["int32"] if kind == "uint8" and len(vector) % 4 == 0 else FORMATS[kind]
            size = struct.calcsize(form)
            count = len(vector) // size if kind == "uint8" else len(vector)
            self.places += [(position + 4 + size * number, form) for number in range(count)]
        return vector


FORMATS = {
    **{"bool": "<B", "int8": "<B", "uint8": "<B", "int32": "<I", "uint32": "<I", "int64": "<Q"},
    **{"uint64": "<Q", "float32": "<I"},
}
MAX_SMALL = 512
"""Bytes of the largest buffer that is changed: arguments of operators, and no tables."""


@functools.cache
def find_numbers(content: bytes) -> list[tuple[int, str]]:
    return Recorder(content).places


def mutate_numbers(content: bytes, random: np.random.Generator) -> bytes:
    """Changes one to four numbers and leaves the structure as it is."""
    mutant = bytearray(content)
    places = find_numbers(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 4]))):
        position, form = places[int(random.integers(len(places)))]
        (value,) = struct.unpack_from(form, mutant, position)
        kind = random.integers(4)
        if kind == 0:
            value = int(random.choice(VALUES))
        elif kind == 1:
            value += int(random.integers(-4, 5))
        elif kind == 2:
            other, other_form = places[int(random.integers(len(places)))]
            (value,) = struct.unpack_from(other_form, mutant, other)
        else:
            value = int(random.integers(0, 32))
        struct.pack_into(form, mutant, position, value % 2 ** (8 * struct.calcsize(form)))
    return bytes(mutant)


def run_apart(mutants: Mapping[int, tuple[int, bytes]]) -> list[str]:
    """Runs mutants in one process; returns what became of each, up to the first fault."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        for number, (_, mutant) in mutants.items():
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_PER_MUTANT)  # ends the process
            os.write(writer, bytes([run(mutant, number)]))
        os._exit(0)
    os.close(writer)
    outcomes: list[str] = []
    while len(outcomes) < len(mutants) and not (outcomes and outcomes[-1].startswith("FAULT")):
        if not select.select([reader], [], [], MAX_WAIT_SECONDS)[0]:
            outcomes.append("FAULT: hangs")
        elif code := os.read(reader, 1):
            outcomes.append(OUTCOMES[code[0]])
        else:
            break
    os.close(reader)
    if len(outcomes) < len(mutants):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if len(outcomes) < len(mutants) and not (outcomes and outcomes[-1].startswith("FAULT")):
        killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        outcomes.append(FAULTS.get(killer) or f"FAULT: {signal.Signals(killer).name}")
    return outcomes


FAULTS = {0: "FAULT: other exit", signal.SIGVTALRM: "FAULT: hangs"}
OUTCOMES = ("answers", "refused by the check", "refused at load or run", "FAULT: raw error")


def run(mutant: bytes, number: int) -> int:
    """Loads a mutant and calls all its signatures with all kinds of histories.

    Returns:
        The place in `OUTCOMES`.
    """
    try:
        model = TFLiteModel(mutant)
        random = np.random.default_rng(number)
        for _ in range(3):
            history = random.choice([0, 1, 5, 59, 60, 61, 10**6, 2**31 - 1, -1], model.max_length)
            row = history.astype(np.int32)
            model.recommend(row)
            if "similar" in model.signatures:
                model.similar(int(row[0]))
            if "score" in model.signatures:
                model.score(row, np.arange(-2, 9, dtype=np.int32))
            if "explain" in model.signatures:
                model.explain(row, 3)
    except UserError as error:
        return 1 if isinstance(error.__cause__, StructureError) else 2
    except BaseException:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

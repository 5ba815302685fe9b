"""Kills kd-tf at random moments and checks that nothing is lost, left over or different.

    python scripts/kill_runs.py --kills 200

Commands (run, compare, export_tflite.py, preview --export) are started in one folder, killed with
SIGKILL several times, and started once more until they finish. What they then leave is compared
with what an undisturbed command left: the bundle hash by hash, metrics, and the names of all files.
After each kill a bundle, model or page is either not there yet or the undisturbed one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kd_tf.keyed_folder import hash_files

SETTINGS = (
    *("--set", "data.synthetic_items=80", "--set", "data.synthetic_users=150"),
    *("--student", "mlp"),
    *("--set", "student.training.epochs=3", "--set", "student.embedding_dim=8"),
    *("--set", "export.recommendations=20", "--set", 'export.quantizations=["dynamic-int8"]'),
)
KD_TF = (sys.executable, "-c", "from kd_tf.cli import main; main()")
EXPORT = (sys.executable, str(Path(__file__).parents[1] / "export" / "export_tflite.py"))
OUTPUTS = {"run": "RUN", "compare": "COMPARISON", "export": "model.tflite", "preview": "SITE"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="kd-tf-kills-"))
    commands = {
        "run": (
            *KD_TF,
            *("run", "--teacher", "cnn", "--set", "teacher.training.epochs=2"),
            *("--set", "teacher.embedding_dim=16", *SETTINGS, "--out", "RUN"),
        ),
        "compare": (
            *KD_TF,
            *("compare", "--teacher", "local-ridge", "--seeds", "1"),
            *("--methods", "soft-targets,rrd", *SETTINGS, "--out", "COMPARISON"),
        ),
        "export": (*EXPORT, "RUN", "--out", "model.tflite"),
        "preview": (*KD_TF, "preview", "RUN/bundle", "--export", "SITE"),
    }
    expected, seconds = {}, {}
    for name, command in commands.items():
        begin = time.monotonic()
        finish(command, folder / "undisturbed")
        seconds[name] = time.monotonic() - begin
        expected[name] = describe(folder / "undisturbed", name)
    print({name: round(value, 1) for name, value in seconds.items()}, flush=True)
    undisturbed = {name: hash_output(folder / "undisturbed", name) for name in commands}
    kills = faults = 0
    while kills < options.kills:
        shutil.rmtree(folder / "killed", ignore_errors=True)
        for name, command in commands.items():
            for _ in range(chance.randint(1, 6)):
                (folder / "killed").mkdir(exist_ok=True)
                process = start(command, folder / "killed")
                time.sleep(chance.uniform(0, 1.1 * seconds[name]))
                kills += process.poll() is None
                process.send_signal(signal.SIGKILL)
                process.wait()
                for output in commands:
                    hashes = hash_output(folder / "killed", output)
                    if hashes and hashes != undisturbed[output]:
                        faults += 1
                        print(f"{output} is half there after {kills} kills", flush=True)
            finish(command, folder / "killed")
            actual = describe(folder / "killed", name)
            if actual != expected[name]:
                faults += 1
                print(f"{name} differs after {kills} kills:", flush=True)
                for key in sorted({*actual, *expected[name]}):
                    if actual.get(key) != expected[name].get(key):
                        print(f"    {key}: {expected[name].get(key)} {actual.get(key)}", flush=True)
        print(f"{kills} kills, {faults} differences", flush=True)
    shutil.rmtree(folder)
    return int(faults > 0)


def start(command: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def finish(command: tuple[str, ...], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")


def describe(folder: Path, name: str) -> dict[str, str]:
    """What a command leaves: hashes where it gives the same bytes, and else the names."""
    target = folder / OUTPUTS[name]
    contents = dict.fromkeys(
        (path.relative_to(target).as_posix() for path in target.rglob("*")), "is there"
    )
    contents |= {f"beside: {path.name}": "is there" for path in folder.iterdir()}
    contents |= hash_output(folder, name)
    if name == "run":
        results = json.loads((target / "results.json").read_text("utf-8"))
        contents |= {model["name"]: json.dumps(model["metrics"]) for model in results["models"]}
    return contents


def hash_output(folder: Path, name: str) -> dict[str, str]:
    """Hashes the files that a command writes with the same bytes each time; empty without them."""
    target = folder / OUTPUTS[name]
    if name == "run":
        target /= "bundle"
    if name == "compare" or not target.exists():
        return {}
    if target.is_file():
        return {target.name: hashlib.sha256(target.read_bytes()).hexdigest()}
    return hash_files(target)


if __name__ == "__main__":
    sys.exit(main())

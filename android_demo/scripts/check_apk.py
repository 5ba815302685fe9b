"""Checks a finished APK, and that the checks can fail.

    check_apk.py APK BUNDLE

The signature verifies; everything is aligned; the model and the native library are stored
uncompressed, the bundle's files byte for byte; there is no permission, neither asked for nor
declared; the size is within `MAX_BYTES` beside the bundle. Then the same checks must find fault
with an APK that is built with the permission INTERNET, with one that is changed after it was signed
and with one that is not aligned.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MAX_BYTES = 4_000_000
"""Largest size of the APK without its bundle."""

ALIGNMENT, PAGE = 4, 4096
LOCAL_HEADER_BYTES = 30
BUNDLE_FILES = ("model.tflite", "catalog.json", "config.json", "MODEL_CARD.md")
HERE = Path(__file__).parent


def main(apk: Path, bundle: Path) -> None:
    faults = find_faults(apk, bundle)
    if faults:
        sys.exit("\n".join(f"{apk}: {fault}" for fault in faults))
    size, app_size = apk.stat().st_size, measure_app_size(apk)
    print(
        f"{apk.name}: signed, aligned, no permission, {size / 1e6:.2f} MB; "
        f"{app_size / 1e6:.2f} MB beside the bundle (at most {MAX_BYTES / 1e6:.1f})"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, control, expected in make_controls(apk, bundle, Path(folder)):
            if not any(expected in fault for fault in find_faults(control, bundle)):
                sys.exit(f"the checks do not see that the control APK is {name}")
            print(f"control APK that is {name}: caught")


def find_faults(apk: Path, bundle: Path) -> list[str]:
    """Finds all faults of an APK, one sentence each."""
    faults = []
    if run("apksigner", "verify", "--min-sdk-version", "24", apk).returncode:
        faults.append("the signature does not verify")
    if run("zipalign", "-c", "-p", str(ALIGNMENT), apk).returncode:
        faults.append("zipalign finds it unaligned")
    dump = run("aapt2", "dump", "permissions", apk)
    lines = dump.stdout.splitlines()
    faults += [f"has a permission: {line.strip()}" for line in lines if "permission" in line]
    if dump.returncode:
        faults.append("the manifest cannot be read")
    try:
        with zipfile.ZipFile(apk) as archive:
            faults += find_faults_inside(apk, archive, bundle)
    except zipfile.BadZipFile as error:
        faults.append(f"is a damaged archive: {error}")
    if measure_app_size(apk) > MAX_BYTES:
        faults.append(f"is more than {MAX_BYTES} bytes beside the bundle")
    return faults


def find_faults_inside(apk: Path, archive: zipfile.ZipFile, bundle: Path) -> list[str]:
    """Finds the faults of the archive's entries."""
    faults = []
    entries = {entry.filename: entry for entry in archive.infolist()}
    libraries = [name for name in entries if name.endswith(".so")]
    if not libraries:
        faults.append("has no native library")
    ranker_files = [f"ranker/{path.name}" for path in sorted((bundle / "ranker").glob("*"))]
    for name in (*BUNDLE_FILES, *ranker_files):
        source, inside = bundle / name, f"assets/bundle/{name}"
        if source.exists() and (
            inside not in entries or archive.read(inside) != source.read_bytes()
        ):
            faults.append(f"{inside} is not the bundle's {name}")
    models = [name for name in entries if name.endswith(".tflite")]
    for name in ("assets/bundle/model.tflite", *models, *libraries):
        entry = entries.get(name)
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            faults.append(f"{name} is not stored uncompressed")
            continue
        alignment = PAGE if name in libraries else ALIGNMENT
        if find_start(apk, entry) % alignment:
            faults.append(f"{name} does not start on a multiple of {alignment}")
    return faults


def find_start(apk: Path, entry: zipfile.ZipInfo) -> int:
    """Finds the offset in the file at which the content of an entry starts."""
    with apk.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER_BYTES)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return entry.header_offset + LOCAL_HEADER_BYTES + name + extra


def measure_app_size(apk: Path) -> int:
    """Measures the size without the bundle's files in the archive, compressed or not."""
    with zipfile.ZipFile(apk) as archive:
        entries = archive.infolist()
        return apk.stat().st_size - sum(
            entry.compress_size for entry in entries if entry.filename.startswith("assets/bundle/")
        )


def make_controls(apk: Path, bundle: Path, folder: Path) -> list[tuple[str, Path, str]]:
    """Makes APKs with one fault each: its name, the APK, and the message it must lead to."""
    manifest = (HERE / "../app/src/main/AndroidManifest.xml").read_text("utf-8")
    permission = '<uses-permission android:name="android.permission.INTERNET" />\n\n    '
    online_manifest = folder / "AndroidManifest.xml"
    online_manifest.write_text(
        manifest.replace("<application", permission + "<application", 1), "utf-8"
    )
    online = folder / "online.apk"
    build = HERE / "build_apk.sh"
    subprocess.run(
        [build, bundle.resolve(), online, online_manifest], check=True, capture_output=True
    )

    changed = folder / "changed.apk"
    content = bytearray(apk.read_bytes())
    with zipfile.ZipFile(apk) as archive:
        content[find_start(apk, archive.getinfo("assets/bundle/model.tflite"))] ^= 1
    changed.write_bytes(content)

    # One byte before the first entry moves all that follow it.
    shifted = folder / "shifted.apk"
    with zipfile.ZipFile(apk) as archive, zipfile.ZipFile(shifted, "w") as copy:
        for entry in archive.infolist():
            plain = zipfile.ZipInfo(entry.filename)
            plain.compress_type = entry.compress_type
            plain.extra = b"" if len(copy.filelist) else b"\xfe\xca\x01\x00\x00"
            copy.writestr(plain, archive.read(entry))
    return [
        ("online", online, "has a permission: uses-permission: name='android.permission.INTERNET'"),
        ("changed", changed, "the signature does not verify"),
        ("unaligned", shifted, "zipalign finds it unaligned"),
    ]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

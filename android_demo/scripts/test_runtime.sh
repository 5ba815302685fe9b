#!/usr/bin/env bash
# Asks the APK's own classes and model what Python was asked, with TensorFlow Lite's libraries for
# Android: the archive's for x86-64 on this machine, the APK's for arm64 under qemu.
# STEPS is the share of the histories for which arm64 may be a step of the int8 input apart.
set -euo pipefail
source "$(dirname "$0")/prepare_tests.sh"
make_dex_classes
run=$build/test/runtime
rm -rf "$run"
mkdir -p "$run/classes"
unzip -q "$apk" 'assets/bundle/*' 'lib/arm64-v8a/*' -d "$run"

javac -encoding UTF-8 -nowarn -proc:none -Xlint:none -cp "$dex:$runtime:$framework" -d "$run/classes" \
  app/src/test/java/io/github/kdtf/books/{Expected,ModelParity}.java
java=(-Djava.util.logging.config.file=app/src/test/resources/logging.properties
  -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote -XX:+UseSerialGC
  -cp "$run/classes:$dex:$framework")
parity=(io.github.kdtf.books.ModelParity "$run/assets/bundle" "$build/expected.json")

java -Djava.library.path="$build/native/x86_64" "${java[@]}" "${parity[@]}" 0

native/bridge.sh "$run/lib/arm64-v8a/libtensorflowlite_jni.so" "$build/native/arm64" \
  aarch64-linux-gnu-gcc
root=.tools/arm64
qemu-aarch64 -cpu cortex-a76 -L $root $root/usr/lib/jvm/java-17-openjdk-arm64/bin/java \
  -Djava.library.path="$build/native/arm64" "${java[@]}" "${parity[@]}" "${STEPS:-0.05}"

#!/usr/bin/env bash
# Builds the signed, aligned APK around a bundle, without the Android SDK.
#   build_apk.sh BUNDLE OUT.apk [MANIFEST]
# ABIS="arm64-v8a armeabi-v7a" puts TensorFlow Lite in for more kinds of phones.
set -euo pipefail
cd "$(dirname "$0")/.."
bundle=$1 out=$2 manifest=${3:-app/src/main/AndroidManifest.xml}
abis=${ABIS:-arm64-v8a}
package=io.github.kdtf.books
min_sdk=24 target_sdk=34
main=app/src/main
jars=.tools/jars
framework=$jars/android-all-14-robolectric-10818077.jar

for file in model.tflite catalog.json config.json; do
  if [ ! -f "$bundle/$file" ]; then
    echo "There is no bundle in $bundle: $file is missing." >&2
    echo "Make one with: make demo, or kd-tf run; then give its folder: BUNDLE=runs/demo/bundle" >&2
    exit 1
  fi
done

work=${out%.apk}.work # stays, for the tests
rm -rf "$work"
mkdir -p "$work"/{assets/bundle,java,classes,aar,stage}

# What TensorFlow Lite's two archives bring: classes, a native library for each kind of processor.
classpath=$framework
for archive in "$jars"/tensorflow-lite-2.16.1.aar "$jars"/tensorflow-lite-api-2.16.1.aar; do
  to=$work/aar/$(basename "$archive" .aar)
  unzip -q "$archive" -d "$to"
  classpath=$classpath:$to/classes.jar
done

# Resources and the manifest. Gradle takes the package from app/build.gradle, aapt2 from here.
for file in model.tflite catalog.json config.json MODEL_CARD.md; do
  [ ! -f "$bundle/$file" ] || cp "$bundle/$file" "$work/assets/bundle/"
done
# The ranker, where the bundle has one.
[ ! -d "$bundle/ranker" ] || cp -r "$bundle/ranker" "$work/assets/bundle/"
mkdir -p "$work/assets/licenses"
cp "$work/aar/tensorflow-lite-2.16.1/LICENSE" "$work/assets/licenses/tensorflow-lite.txt"
sed "s/<manifest /<manifest package=\"$package\" /" "$manifest" > "$work/AndroidManifest.xml"
# Debian's aapt2 is older than the framework and says so of a part that it does not need.
aapt2() {
  command aapt2 "$@" 2> >(grep -v "Unknown chunk type '200'" >&2)
}
aapt2 compile --dir $main/res -o "$work/res.zip"
aapt2 link -o "$work/app.apk" -I $framework --manifest "$work/AndroidManifest.xml" \
  --java "$work/java" -A "$work/assets" -0 .tflite \
  --min-sdk-version $min_sdk --target-sdk-version $target_sdk "$work/res.zip"

# Classes, then DEX. dx knows no lambdas.
find $main/java "$work/java" -name '*.java' > "$work/sources"
javac -encoding UTF-8 -nowarn --release 8 -Xlint:-options -cp "$classpath" -d "$work/classes" @"$work/sources"
java -cp $jars/dalvik-dx-16.0.1.jar com.android.dx.command.Main --dex --min-sdk-version=$min_sdk \
  --output="$work/stage/classes.dex" "$work/classes" "$work"/aar/*/classes.jar

# Libraries are stored as they are, on page boundaries, so that phones map them out of the APK.
for abi in $abis; do
  mkdir -p "$work/stage/lib/$abi"
  cp "$work/aar/tensorflow-lite-2.16.1/jni/$abi"/*.so "$work/stage/lib/$abi/"
done
(cd "$work/stage" && zip -q -X ../app.apk classes.dex && zip -q -X -0 -r ../app.apk lib)
zipalign -f -p 4 "$work/app.apk" "$work/aligned.apk"

# A key of this machine, kept so that a later build installs over an earlier one.
key=.tools/debug.p12
if [ ! -f $key ]; then
  keytool -genkeypair -keystore $key.new -storetype PKCS12 -storepass android -alias debug \
    -keyalg RSA -keysize 2048 -validity 10000 -dname CN=Debug > "$work/keytool.log" 2>&1 \
    || { cat "$work/keytool.log" >&2; exit 1; }
  mv $key.new $key
fi
apksigner sign --ks $key --ks-pass pass:android --out "$work/signed.apk" "$work/aligned.apk"
mv "$work/signed.apk" "$out"

#!/usr/bin/env bash
# Runs the app's tests in Robolectric.   test_app.sh sources|dex [sdk] [TestClass ...]
#   sources  on the classes as compiled
#   dex      on the classes taken back out of the APK's DEX
set -euo pipefail
source "$(dirname "$0")/prepare_tests.sh"
kind=$1 sdk=${2:-34}
shift $(( $# < 2 ? $# : 2 ))
tests=${*:-$(cd app/src/test/java && find . -name '*Test.java' | sort \
  | sed 's#^\./##; s#\.java$##; s#/#.#g')}

case $kind in
  sources) app=$work/classes:$runtime options=() ;;
  dex)
    make_dex_classes
    # Its frames are not what a desktop's verifier wants; a phone's is another one.
    app=$dex options=(-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote) ;;
  *) echo "sources or dex, not $kind" >&2; exit 2 ;;
esac

run=$build/test/$kind-$sdk
rm -rf "$run"
mkdir -p "$run"/{classes,config/com/android/tools,tmp}
cat > "$run/config/com/android/tools/test_config.properties" << EOF
android_merged_assets=$work/assets
android_merged_manifest=$work/AndroidManifest.xml
android_resource_apk=$apk
android_custom_package=io.github.kdtf.books
EOF
sed "s/^sdk=.*/sdk=$sdk/" app/src/test/resources/robolectric.properties \
  > "$run/config/robolectric.properties"
if [ "$sdk" -lt 26 ]; then # Robolectric draws with the real engine from Android 8 on
  sed -i 's/^graphicsMode=.*/graphicsMode=LEGACY/' "$run/config/robolectric.properties"
fi

# The two pieces of Java in docs/how-to/put-it-in-an-android-app.md, so that they compile and answer as they say.
mkdir -p "$run/snippets"
snippet() {
  awk -v wanted="$1" '/^```java/ { inside = ++count; next } /^```/ { inside = 0 }
    inside == wanted' ../docs/how-to/put-it-in-an-android-app.md
}
{ echo "package io.github.kdtf.books;"; snippet 1; } > "$run/snippets/ReadNext.java"
if [ "$(snippet 1 | wc -l)" -ge 40 ]; then
  echo "docs/how-to/put-it-in-an-android-app.md: the snippet must stay under 40 lines" >&2
  exit 1
fi
{
  echo "package io.github.kdtf.books; import io.github.kdtf.books.engine.*; class CheckedSnippet {"
  echo "static void run(android.content.Context context, String one, String other)"
  echo "throws Exception {"
  snippet 2 | sed 's/"bk-00001"/one/; s/"bk-00042"/other/; s/Collections/java.util.&/'
  echo "catalog.close(); recommender.close(); } }"
} > "$run/snippets/CheckedSnippet.java"

"$python" ../tests/shared_features/draw_cases.py "$run/drawn_features.json"

find app/src/test/java "$run/snippets" -name '*.java' > "$run/tests.txt"
javac -encoding UTF-8 -nowarn -proc:none -Xlint:none -cp "$work/classes:$runtime:$junit" -d "$run/classes" \
  @"$run/tests.txt"
# shellcheck disable=SC2086 # the names of classes
java "${options[@]}" -Xmx3g -Dfile.encoding=UTF-8 -Djava.io.tmpdir="$run/tmp" --add-opens java.base/java.io=ALL-UNNAMED \
  -Drobolectric.offline=true -Drobolectric.dependency.dir="$jars" \
  -Djava.library.path="$build/native/x86_64" \
  -Djava.util.logging.config.file="$PWD/app/src/test/resources/logging.properties" \
  -Dbooks.expected="$build/expected.json" -Dbooks.reading_lists="$PWD/../tests/reading_lists" \
  -Dbooks.shared_traits="$PWD/../tests/shared_traits" \
  -Dbooks.shared_features="$PWD/../tests/shared_features" \
  -Dbooks.drawn_features="$run/drawn_features.json" \
  -Dbooks.shared_reranking="$PWD/../tests/shared_reranking" \
  -Dbooks.screenshots="${SCREENSHOTS:-$build/screenshots}" \
  -cp "$run/config:$run/classes:$app:$junit" io.github.kdtf.books.TestRun $tests
rm -rf "$run/tmp"

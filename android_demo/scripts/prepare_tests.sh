#!/usr/bin/env bash
# Sourced: what every test run needs, made once.   BUNDLE must be set, PYTHON may be.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$PWD/build
jars=$PWD/.tools/jars
python=${PYTHON:-python3}
mkdir -p "$build/test"

# The jars of jars.txt that are for one use, as a class path.
classpath() {
  awk -v use="$1" -v jars="$jars" '!/^#/ && $2 == use {
    split($3, part, ":"); if (part[4] == "jar") printf "%s/%s-%s.jar:", jars, part[2], part[3]
  }' jars.txt
}

apk=$build/read-next.apk
work=${apk%.apk}.work
framework=$jars/android-all-14-robolectric-10818077.jar
runtime=$work/aar/tensorflow-lite-2.16.1/classes.jar:$work/aar/tensorflow-lite-api-2.16.1/classes.jar
junit=$(classpath test)
for archive in monitor-1.8.0 espresso-idling-resource-3.7.0; do
  [ -f "$build/test/$archive/classes.jar" ] || unzip -qo "$jars/$archive.aar" classes.jar \
    -d "$build/test/$archive"
  junit+=$build/test/$archive/classes.jar:
done
# Robolectric swaps the framework for the version under test; the rest only needs its names.
junit+=$framework

# The APK's DEX as classes again, in $dex.
dex=$build/test/dex.jar
make_dex_classes() {
  [ ! "$dex" -nt "$apk" ] || return 0
  java -cp "$(classpath dex2jar)" com.googlecode.dex2jar.tools.Dex2jarCmd -f -o "$dex.new" "$apk" \
    > "$build/test/dex2jar.log" 2>&1 || { cat "$build/test/dex2jar.log" >&2; return 1; }
  mv "$dex.new" "$dex"
}

#!/usr/bin/env bash
# Fetches the files of jars.txt that are for one of the given uses into .tools/jars and compares
# each with its SHA-256.   fetch_jars.sh build test ...
set -euo pipefail
cd "$(dirname "$0")/.."
jars=.tools/jars
mkdir -p $jars

# SHA-256, coordinates and file of every line that is wanted.
wanted() {
  awk -v uses=" $* " '!/^#/ && NF && index(uses, " " $2 " ") {
    split($3, part, ":"); print $1, $3, part[2] "-" part[3] "." part[4] }' jars.txt
}

is_right() {
  [ -f "$jars/$2" ] && echo "$1  $jars/$2" | sha256sum --check --status
}

items=
while read -r hash coordinates file; do
  is_right "$hash" "$file" && continue
  rm -f "$jars/$file"
  IFS=: read -r group artifact version type <<< "$coordinates"
  items+="<artifactItem><groupId>$group</groupId><artifactId>$artifact</artifactId>"
  items+="<version>$version</version><type>$type</type></artifactItem>"
done < <(wanted "$@")
[ -n "$items" ] || exit 0

echo "fetching $(grep -o '<artifactItem>' <<< "$items" | wc -l) files from Maven Central"
cat > .tools/fetch.xml << EOF
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kd_tf</groupId><artifactId>fetch</artifactId><version>1</version>
  <packaging>pom</packaging>
  <build><plugins><plugin>
    <artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
    <configuration>
      <outputDirectory>$PWD/$jars</outputDirectory>
      <artifactItems>$items</artifactItems>
    </configuration>
  </plugin></plugins></build>
</project>
EOF
MAVEN_OPTS=-Djansi.mode=strip mvn -q -B -Dstyle.color=never -f .tools/fetch.xml dependency:copy

while read -r hash coordinates file; do
  if ! is_right "$hash" "$file"; then
    rm -f "$jars/$file"
    echo "$coordinates is not the file that jars.txt names: its SHA-256 differs. It was deleted." >&2
    echo "Empty Maven's local repository of it and try again; if it stays so, do not use it." >&2
    exit 1
  fi
done < <(wanted "$@")

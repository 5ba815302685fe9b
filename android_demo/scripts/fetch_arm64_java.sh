#!/usr/bin/env bash
# Unpacks Debian's Java for arm64 into .tools/arm64, for qemu-user; nothing is installed. apt checks
# the signatures of the package lists, and by them every package.
set -euo pipefail
cd "$(dirname "$0")/.."
root=.tools/arm64
[ ! -d $root ] || exit 0

echo "fetching Debian's Java for arm64 (46 MB)"
new=$PWD/.tools/arm64.new
rm -rf "$new"
mkdir -p "$new"/apt/state/lists/partial "$new"/apt/cache/archives/partial "$new"/root
touch "$new/apt/status"
# An apt of its own: the machine's list of architectures stays as it is.
cat > "$new/apt/conf" << EOF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Dir::State "$new/apt/state";
Dir::State::status "$new/apt/status";
Dir::Cache "$new/apt/cache";
EOF
export APT_CONFIG=$new/apt/conf
apt-get -qq update
(cd "$new/apt" && apt-get -qq download openjdk-17-jre-headless libc6 libgcc-s1 libstdc++6 zlib1g)
for package in "$new"/apt/*.deb; do
  dpkg-deb -x "$package" "$new/root"
done
mv "$new/root" $root
rm -rf "$new"

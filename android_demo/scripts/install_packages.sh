#!/usr/bin/env bash
# Installs the Debian packages whose commands are missing.   install_packages.sh apk|test
set -euo pipefail

needed=(aapt2:aapt zipalign:zipalign apksigner:apksigner javac:openjdk-17-jdk-headless
  mvn:maven zip:zip unzip:unzip)
if [ "${1:-apk}" = test ]; then
  needed+=(gcc:gcc libc-headers:libc6-dev qemu-aarch64:qemu-user
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu arm64-headers:libc6-dev-arm64-cross)
fi

missing=()
for one in "${needed[@]}"; do
  command=${one%%:*} package=${one##*:}
  case $command in
    libc-headers) [ -e /usr/include/stdio.h ] || missing+=("$package") ;;
    arm64-headers) [ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=("$package") ;;
    *) command -v "$command" > /dev/null || missing+=("$package") ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get > /dev/null; then
  echo "These Debian packages are needed, and there is no apt-get: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "As root, run: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing the Debian packages ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null

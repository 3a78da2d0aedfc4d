#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that infprof is built and tested with. Asks dpkg first, so that a
# second run needs no network and no root.
set -eu
# shellcheck disable=SC2086 # lists of packages are meant to be split

packages="
meson ninja-build pkg-config git ca-certificates
gcc g++ clang clang-format lld libclang-rt-14-dev
libunwind8 binutils xz-utils
libjemalloc-dev libmimalloc-dev libgoogle-perftools-dev libdw-dev libsqlite3-dev libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev
libhwloc-dev libopenblas-dev libncurses-dev libcmocka-dev scdoc
llvm bpftool libbpf-dev
libprotobuf-c-dev protobuf-c-compiler zlib1g-dev
uftrace heaptrack sqlite3 tmux curl jq python3 python3-jsonschema strace systemd
golang-go chromium librsvg2-bin
hyperfine libarchive-dev systemtap-sdt-dev bpftrace bash-completion zsh
"
# Any npm will do; Debian's comes along only where there is none.
command -v npm >/dev/null 2>&1 || packages="$packages nodejs npm"

die() {
        echo "deps: $*" >&2
        exit 1
}

command -v dpkg-query >/dev/null 2>&1 || die "this is not a Debian system: install by hand:" $packages

missing=
for p in $packages; do
        case $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) in
        *" ok installed") ;;
        *) missing="$missing $p" ;;
        esac
done
if [ -z "$missing" ]; then
        echo "deps: all packages are installed"
        exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "not root and no sudo here; as root run: apt-get install$missing"
        as_root=sudo
fi

echo "deps: installing$missing"
$as_root apt-get update || die "apt-get update failed (is there a network?)"
$as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing || die "apt-get could not install:$missing"

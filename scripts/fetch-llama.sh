#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches the llama.cpp libraries that the demo and some tests profile: one exact version of a package
# of ready-built libraries, with the ordinary npm client. Nothing of it is run or installed.
#
#   fetch-llama.sh [DIR]     DIR is ~/.cache/infprof if not given
#
# Prints the folder with the libraries on stdout, all else on stderr. Does nothing twice.
set -eu

package=@node-llama-cpp/linux-x64
version=3.22.1
sha256=0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0

cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/infprof}
home=$cache/llama-$version
libs=package/bins/linux-x64

die() {
        echo "fetch-llama: $*" >&2
        exit 1
}

have_libs() {
        for pattern in 'libllama.*so' 'libggml.*so' 'libggml-base.so' 'libggml-cpu-*.so'; do
                # the glob is meant to be expanded
                # shellcheck disable=SC2086
                set -- "$1" "$1"/$pattern
                [ -s "$2" ] || return 1
        done
}

if have_libs "$home/$libs"; then
        echo "fetch-llama: $package $version is there already" >&2
        echo "$home/$libs"
        exit 0
fi

command -v npm >/dev/null 2>&1 || die "npm is missing (scripts/deps.sh installs it)"
mkdir -p "$cache" || die "cannot make $cache"
work=$(mktemp -d "$cache/fetch.XXXXXX") || die "cannot write to $cache"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "fetch-llama: fetching $package $version" >&2
# npm would go on trying for minutes where there is no network
timeout 120 npm pack --loglevel=error --ignore-scripts --fetch-retries=2 --fetch-retry-mintimeout=1000 \
        --fetch-retry-maxtimeout=5000 --pack-destination "$work" "$package@$version" \
        >"$work/npm.log" 2>&1 || {
        grep -iE 'err(or)?[! ]' "$work/npm.log" | head -n 5 | sed 's/^/  /' >&2
        die "npm could not fetch $package@$version (is there a network?)"
}
set -- "$work"/*.tgz
[ -s "$1" ] || die "npm left no archive"
echo "$sha256  $1" | sha256sum -c --quiet >/dev/null 2>&1 || die "$(basename "$1") is not the archive it should be"
tar -xzf "$1" -C "$work" || die "cannot unpack $(basename "$1")"
have_libs "$work/$libs" || die "the archive lacks a library"
mkdir "$work/done" && mv "$work/package" "$work/done/"
rm -rf "$home"
mv "$work/done" "$home" || die "cannot write $home"
echo "$home/$libs"

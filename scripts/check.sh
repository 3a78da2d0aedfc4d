#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything there is to check, from a clean clone: packages, both compilers without a warning, the
# format of the sources, all tests. The last line is the sum; the exit status agrees with it.
set -eu
cd "$(dirname "$0")/.."

passed=0
failed=0
skipped=0

say() {
        echo "check: $*"
}

ok() {
        passed=$((passed + 1))
        say "ok: $*"
}

not_ok() {
        failed=$((failed + 1))
        say "FAILED: $*"
}

finish() {
        sum="$passed passed, $failed failed"
        [ "$skipped" -eq 0 ] || sum="$sum, $skipped skipped"
        echo "$sum"
        [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
        exit
}

# A fresh configuration each time, with the objects of the last one gone.
configure() {
        dir=$1
        shift
        rm -rf "$dir"
        meson setup "$dir" -Dwerror=true "$@" >"$dir.log" 2>&1 || {
                tail -n 30 "$dir.log"
                return 1
        }
        rm -f "$dir.log"
}

build() {
        ninja -C "$1" >"$1/ninja.log" 2>&1 || {
                grep -E -A 12 'error|FAILED|undefined' "$1/ninja.log" | head -n 80
                return 1
        }
}

say "packages"
sh scripts/deps.sh || {
        not_ok "packages"
        finish
}

say "building with gcc"
if configure build-check && build build-check; then
        ok "builds with gcc"
else
        not_ok "builds with gcc"
        finish
fi

say "building with clang"
if CC=clang CXX=clang++ configure build-check-clang && build build-check-clang; then
        ok "builds with clang"
else
        not_ok "builds with clang"
fi

say "format"
find include common preload daemon cli bpf examples tests bench \
        \( -name '*.c' -o -name '*.h' -o -name '*.cpp' \) ! -name 'vmlinux.h' 2>/dev/null |
        sort >build-check/sources.txt
if xargs clang-format --dry-run --Werror <build-check/sources.txt 2>build-check/format.log; then
        ok "format"
else
        grep ': error:' build-check/format.log | cut -d: -f1 | sort | uniq -c |
                sed 's/^ *\([0-9]*\) \(.*\)/  \2: \1 places/'
        not_ok "format (clang-format -i mends it)"
fi

# Run the tests of a build folder and add up meson's own account of them.
run_tests() {
        dir=$1
        shift
        log=$dir/meson-logs/testlog.json
        rm -f "$log"
        meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || true
        if [ ! -s "$log" ]; then
                not_ok "no test was run in $dir"
                return
        fi
        bad='^(FAIL|TIMEOUT|ERROR|UNEXPECTEDPASS|INTERRUPT)$'
        passed=$((passed + $(count '^(OK|EXPECTEDFAIL)$')))
        failed=$((failed + $(count "$bad")))
        skipped=$((skipped + $(count '^SKIP$')))
        jq -r --arg bad "$bad" 'select(.result | test($bad)) | "check: FAILED: " + .name' "$log"
        jq -r 'select(.result == "SKIP") | "check: skipped: " + .name' "$log"
}

count() {
        jq -s --arg what "$1" '[.[] | select(.result | test($what))] | length' "$log"
}

say "tests"
run_tests build-check

# The shim is never built with a sanitizer, so only tests that do without it are run here.
say "tests under the address and undefined behaviour sanitizers"
if configure build-check-asan -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=undefined && build build-check-asan; then
        run_tests build-check-asan --suite unit --suite alone
else
        not_ok "builds with sanitizers"
fi
finish

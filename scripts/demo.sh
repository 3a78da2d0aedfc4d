#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job, from a clean clone to a report: a real llama.cpp that knows nothing of infprof, run
# under the shim, looked at while it runs and afterwards.
set -eu
cd "$(dirname "$0")/.."

engine=
work=build/demo

say() {
        echo
        echo "demo: $*"
}

die() {
        echo "demo: $*" >&2
        exit 1
}

# Show a command, then run it.
show() {
        echo "  \$ $*"
        "$@"
}

leave() {
        [ -z "$engine" ] || kill "$engine" 2>/dev/null || true
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "packages"
sh scripts/deps.sh || die "the packages could not be installed"

say "building"
[ -f build/build.ninja ] || show meson setup build >build.log 2>&1 || {
        tail -n 20 build.log
        die "meson setup failed (build.log has all of it)"
}
rm -f build.log
show ninja -C build --quiet || die "the build failed"
mkdir -p $work

say "the real llama.cpp, as npm has it"
lib=$(sh scripts/fetch-llama.sh) || die "no llama.cpp to profile"

say "a model with random weights"
model=$work/small.gguf
show build/examples/make-gguf --preset small -o $model || die "the model could not be written"
ls -l $model

say "the engine, under the shim and nothing else"
rm -f $work/engine.err
echo "  \$ LD_PRELOAD=build/preload/libinfprof.so build/examples/llama-driver --lib ... --model $model &"
LD_PRELOAD=$PWD/build/preload/libinfprof.so build/examples/llama-driver \
        --lib "$lib" --model $model --tokens 400 --rounds 15 >$work/text 2>$work/engine.err &
engine=$!

say "a look while it runs"
sleep 3
kill -0 $engine 2>/dev/null || {
        cat $work/engine.err >&2
        die "the engine ended before it could be looked at"
}
show build/cli/infprof top --once || die "infprof top has no answer"

say "waiting for its end"
status=0
wait $engine || status=$?
engine=
cat $work/engine.err
[ "$status" -eq 0 ] || die "the engine failed with status $status"
echo "  it wrote $(wc -c <$work/text) bytes of text, beginning: $(head -c 60 $work/text)"

say "the report"
show build/cli/infprof report || die "infprof report has no answer"

say "in which layers the time went, and how a token grows with the text"
show build/cli/infprof layers || die "infprof layers has no answer"
show build/cli/infprof tokens -n 5 || die "infprof tokens has no answer"

say "who allocates while tokens are decoded"
show build/cli/infprof memory --phase decode -n 3 --sections totals,stacks,categories ||
        die "infprof memory has no answer"

say "why more threads are slower: two of them"
show build/cli/infprof record build/examples/llama-driver --lib "$lib" --model $model --tokens 100 --threads 2 \
        >$work/text || die "the engine failed"
show build/cli/infprof explain || die "infprof explain has no answer"
show build/cli/infprof ledger || die "infprof ledger has no answer"

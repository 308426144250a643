#!/bin/sh
# Runs each fuzz target for so many seconds: fuzz/run.sh SECONDS [TARGET...]
# What is found lies in fuzz/findings; what was learned, in fuzz/corpus.
set -eu
seconds=$1
shift
cd "$(dirname "$0")"
targets=${*:-packet attribute eap fragments set stream}
host=$(rustc -vV | sed -n 's/^host: //p')

# libFuzzer's instrumentation works on stable Rust; a sanitizer would not, and
# there is no unsafe code for it to watch. --target keeps the flags away from
# build scripts.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
cargo build --quiet --release --target "$host" --target-dir target

for target in $targets; do
    mkdir -p "corpus/$target" "findings/$target"
    echo "fuzzing $target for $seconds s"
    if ! "target/$host/release/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=4200 \
        -print_final_stats=1 -artifact_prefix="findings/$target/" "corpus/$target" "seeds/$target" \
        >"findings/$target/log" 2>&1; then
        tail -40 "findings/$target/log"
        echo "fuzz target $target failed; the input lies in fuzz/findings/$target"
        exit 1
    fi
    grep -E 'stat::number_of_executed_units' "findings/$target/log"
done

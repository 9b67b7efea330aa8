#!/bin/bash
# Fuzzes all targets, or those named: campaign.sh 8h [TARGET...]
#
# The time is that of the clock, shared by the targets; JOBS of them (as many as cores) run at once, in
# ROUNDS (4) rounds, so that each has had its turn early. Seeds are read from corpus/, what is found on
# the way is kept in found/, and an input that fails is written to artifacts/. Ends with a table, and with
# an error if anything failed.
#
# With a SEED, inputs are tried in the same order each time. An input may take TIMEOUT (10) seconds, which
# are those of the clock.
set -euo pipefail
cd "$(dirname "$0")"

JOBS=${JOBS:-$(nproc)}
ROUNDS=${ROUNDS:-4}
# 0 is any.
SEED=${SEED:-0}
TIMEOUT=${TIMEOUT:-10}
TARGET_DIR=${CARGO_TARGET_DIR:-target}

main() {
    local seconds
    seconds=$(in_seconds "${1:?how long, for example 90s, 30m or 8h}")
    shift
    local targets=("$@")
    [ $# -gt 0 ] || mapfile -t targets < <(cd fuzz_targets && ls -- *.rs | sed 's/\.rs$//')
    cargo +nightly fuzz build --target-dir "$TARGET_DIR"
    logs=$(mktemp -d)
    trap 'rm -rf "$logs"' EXIT
    local slice=$((seconds * JOBS / ${#targets[@]} / ROUNDS))
    [ "$slice" -gt 0 ] || slice=1
    export TARGET_DIR logs slice SEED TIMEOUT
    export -f run_one
    for ((round = 1; round <= ROUNDS; round++)); do
        printf '%s\n' "${targets[@]}" | round=$round xargs -P "$JOBS" -I{} bash -c 'run_one {}'
    done
    report "${targets[@]}"
}

# Fuzzes the target $1 for $slice seconds. A failure is told by report().
run_one() {
    local binary
    binary=$TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release/$1
    mkdir -p "found/$1" "artifacts/$1"
    # Nothing in the workspace is to want more memory at once than the longest message takes thrice.
    local command=("$binary" "found/$1" "corpus/$1" -artifact_prefix="artifacts/$1/"
        -max_total_time="$slice" -seed="$SEED" -max_len=20000 -timeout="$TIMEOUT"
        -rss_limit_mb=2048 -malloc_limit_mb=64
        -dict=dictionary.txt -print_final_stats=1)
    local log=$logs/$1.$round TIMEFORMAT='cpu %U %S'
    if ! { time "${command[@]}" >"$log" 2>&1 </dev/null; } 2>>"$log"; then
        echo failed >>"$log"
        grep -aE 'panicked at|ERROR: |SUMMARY' -A 2 "$log" | sed "s/^/$1: /"
    fi
}

report() {
    local target failures=0
    printf '%-16s %12s %10s %8s %8s\n' target executions 'CPU s' edges failed
    for target in "$@"; do
        local executions cpu edges failed
        executions=$(sum 's/^stat::number_of_executed_units: *//p' "$logs/$target".*)
        cpu=$(sum 's/^cpu \(.*\) \(.*\)/\1\n\2/p' "$logs/$target".*)
        edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$logs/$target".* | sort -n | tail -1)
        failed=$(grep -lx failed "$logs/$target".* | wc -l) || true
        failures=$((failures + failed))
        printf '%-16s %12.0f %10.0f %8s %8s\n' "$target" "$executions" "$cpu" "${edges:--}" "$failed"
    done
    [ "$failures" = 0 ]
}

# The sum of what the sed command $1 finds in the other arguments.
sum() {
    sed -n "$1" "${@:2}" | awk '{ total += $1 } END { print total + 0 }'
}

in_seconds() {
    case $1 in
    *h) echo $((${1%h} * 3600)) ;;
    *m) echo $((${1%m} * 60)) ;;
    *) echo "${1%s}" ;;
    esac
}

main "$@"

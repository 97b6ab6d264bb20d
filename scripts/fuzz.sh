#!/usr/bin/env bash
# Fuzzes what the library parses, with libFuzzer and the address sanitizer. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/fuzz.sh [--seconds S] [--targets LIST] [--seed N]

Builds Tests/Fuzzing with libFuzzer and the address sanitizer, and runs each target for a while, beginning with the
inputs in Tests/Fuzzing/Seeds and with those that earlier runs have found (.build-fuzz/corpus). No network, no broker.

  --seconds S     how long each target runs (default 20)
  --targets LIST  of these, with commas between them (default: all): uri frames methods headers tables pem json
  --seed N        of libFuzzer's random numbers (default 1)

For each target a line says how many inputs were run, how many of them covered something new, and what memory that took.
Exit 1 if one of them crashed, hung for 10 s or took more than 1 GiB; the input lies in .build-fuzz/found then, and
FUZZ_TARGET=TARGET .build-fuzz/release/ParserFuzzer FILE runs it again. Exit 1 also if nothing tells libFuzzer what an
input covers: it would try at random then.
USAGE
}

die() { echo "fuzz.sh: $*" >&2; exit 64; }

seconds=20 seed=1 targets=(uri frames methods headers tables pem json)
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --seconds | --targets | --seed)
        (($# > 1)) || die "$1 needs a value; see scripts/fuzz.sh --help."
        case $1 in
        --seconds) seconds=$2 ;;
        --seed) seed=$2 ;;
        --targets) IFS=, read -r -a targets <<<"$2" ;;
        esac
        shift
        ;;
    *) die "unknown argument '$1'; see scripts/fuzz.sh --help." ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ ]] || die "--seconds and --seed are numbers."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for target in "${targets[@]}"; do
    [[ -d Tests/Fuzzing/Seeds/$target ]] || die "there is no target '$target'; see scripts/fuzz.sh --help."
done

# Leaks have tests of their own: what weak references keep would be taken for one.
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# Swift's own handler of signals comes first, and libFuzzer leaves one that is there: a trap's input would not be kept.
export SWIFT_BACKTRACE=enable=no
options=(--package-path Tests/Fuzzing --scratch-path .build-fuzz -c release --sanitize fuzzer --sanitize address)
# SwiftPM gives each sanitizer to the compiler by itself, which hears only the last: without both, nothing is covered.
swift build "${options[@]}" -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing -Xswiftc -DSANITIZE_ADDRESS --product ParserFuzzer >&2
fuzzer=$(swift build "${options[@]}" --show-bin-path)/ParserFuzzer

status=0
for target in "${targets[@]}"; do
    mkdir -p ".build-fuzz/corpus/$target" .build-fuzz/found
    log=.build-fuzz/$target.log
    failed=
    FUZZ_TARGET=$target "$fuzzer" -max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix=".build-fuzz/found/$target-" \
        ".build-fuzz/corpus/$target" "Tests/Fuzzing/Seeds/$target" >"$log" 2>&1 || failed=1
    figure() { sed -n "s/^stat::$1: *//p" "$log"; }
    covered=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    # A handful of edges is the fuzzer's own code; the smallest parser has hundreds.
    if ((${covered:-0} < 50)); then
        failed=1
        echo "fuzz.sh: $target: the library was built without coverage" >>"$log"
    fi
    echo "$target: ${seconds} s, seed $seed, $(figure number_of_executed_units) inputs, $(figure new_units_added) new," \
        "${covered:-0} edges, $(figure peak_rss_mb) MB${failed:+, FAILED}"
    if [[ $failed ]]; then
        tail -n 40 "$log"
        status=1
    fi
done
exit "$status"

#!/usr/bin/env bash
# Benchmarks this package's client against others. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/bench.sh [--quick] [--no-setup] [--null-only] [--peer NAME=COMMAND] [--peers FILE] [--only REGEX]

Sets up, builds rmq and its peers, runs every mode against a null broker and against the private RabbitMQ over TCP and
TLS, the clients interleaved, and writes into .build/bench/: table.md, chart.svg, results.jsonl (every single run).
Prints the figures to reach, each with its verdict. A run that hangs is ended, told, and not tried again.
All on loopback. It takes more than an hour, or about twenty minutes with --quick.

  --quick        3 short rounds rather than 5: figures to look at, not to quote
  --no-setup     install nothing; a peer whose toolchain is missing is skipped
  --null-only    without the real broker
  --peer NAME=COMMAND
                 compare this client too: any program that does what scripts/bench/README.md says; may be repeated
  --peers FILE   compare the clients of this list too: a name and a command on each line
  --only REGEX   only where 'target scenario' matches, for example '^null publish'

A broker that was not running before is stopped at the end.
USAGE
}

setup=true real=true arguments=()
while (($#)); do
    case $1 in
    --quick) arguments+=(--quick) ;;
    --no-setup) setup=false ;;
    --null-only) real=false ;;
    --peer | --peers | --only)
        (($# > 1)) || { usage >&2; exit 64; }
        arguments+=("$1" "$2")
        shift
        ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=.build/bench
mkdir -p "$out"
command -v python3 >/dev/null || { echo "bench.sh: python3 is missing (Debian: python3)." >&2; exit 1; }

if $setup; then
    scripts/setup.sh
    scripts/bench/build.sh --install
else
    scripts/bench/build.sh
fi
[[ -x $out/nullbroker ]] || { echo "bench.sh: the null broker was not built." >&2; exit 1; }

if ! command -v swift >/dev/null; then
    echo "bench: rmq skipped: no Swift" >&2
elif ! swift build -c release --traits Tool --product rmq >"$out/rmq-build.log" 2>&1; then
    echo "bench: rmq skipped: its build failed, see $out/rmq-build.log" >&2
    # An older build would be measured in its place.
    rm -f .build/release/rmq
fi

unset RABBITMQ_URI RABBITMQ_TEST_TLS_PORT RABBITMQ_TEST_CA
if $real; then
    if ! scripts/broker.sh status >/dev/null 2>&1; then
        trap 'scripts/broker.sh stop' EXIT
        scripts/broker.sh start
    fi
    variables=$(scripts/broker.sh env)
    eval "$variables"
fi

python3 scripts/bench/run.py "${arguments[@]}"
python3 scripts/bench/report.py "$out/results.jsonl" "$out/table.md" "$out/chart.svg"
echo "bench: wrote $out/table.md, $out/chart.svg, $out/results.jsonl"

#!/usr/bin/env bash
# What it costs to be watched: metrics, the flight recorder, traces, each on against off.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/costs.sh [--rounds N] [--real] [--only REGEX]

Builds rmq with the traits MetricsSupport and DistributedTracingSupport (.build-costs), and without them, and runs
`rmq perf` with each of these on and off in turn. It prints the CPU that a message takes, the medians, and by how much more
it is, the median of the rounds' ratios and between which two half of them lie, beside the goal: 5 % for metrics, 2 % for
the flight recorder, and for both traits where they are built in and nothing is asked for. The first rows compare the same
with itself: what they say is noise, and so is as much in the others. The exit status is 1 if one is above its goal: on a
busy machine that says little. No back end is there: what one takes for metrics and spans is its own.

  --rounds N    how often each is measured (default 9)
  --real        against the private RabbitMQ rather than a broker that only discards and delivers, beside which nothing
                hides what is measured
  --only REGEX  only the rows whose name matches
USAGE
}

die() { echo "costs.sh: $*" >&2; exit 64; }

rounds=9 real='' only=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --rounds) (($# > 1)) || die "--rounds needs a number."; rounds=$2; shift ;;
    --only) (($# > 1)) || die "--only needs a regular expression."; only=$2; shift ;;
    --real) real=1 ;;
    *) die "unknown argument '$1'; see scripts/costs.sh --help." ;;
    esac
    shift
done
[[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || die "--rounds needs a whole number from 1 to 999, not '$rounds'."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v python3 >/dev/null || { echo "costs.sh: python3 is missing (Debian: python3)." >&2; exit 1; }

bare=(-c release --traits Tool --product rmq)
watched=(-c release --traits Tool,MetricsSupport,DistributedTracingSupport --product rmq --scratch-path .build-costs)
swift build "${bare[@]}" >&2
swift build "${watched[@]}" >&2

unset RABBITMQ_URI
if [[ -n $real ]]; then
    if ! scripts/broker.sh status >/dev/null 2>&1; then trap 'scripts/broker.sh stop >&2' EXIT; fi
    scripts/broker.sh start >&2
    settings=$(scripts/broker.sh env)
    eval "$settings"
else
    scripts/bench/build.sh --quick >&2
fi
python3 scripts/bench/costs.py --rounds "$rounds" --only "$only" \
    "$(swift build "${bare[@]}" --show-bin-path)/rmq" "$(swift build "${watched[@]}" --show-bin-path)/rmq"

#!/usr/bin/env bash
# Everything that must hold, in one command: set up, start a private broker, lint, build, run all tests.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/test.sh [FILTER] [--sanitize thread|address] [--tls] [--no-lint]

  FILTER       only tests whose name matches this regular expression (swift test --filter)
  --sanitize   build with that sanitizer, in a build folder of its own, and run the tests under it
  --tls        integration tests connect over TLS (RABBITMQ_TEST_TLS=1)
  --no-lint    leave out scripts/lint.sh

Installs what is missing (scripts/setup.sh --pika). Warnings of this package are errors. A broker that this command
started is stopped at the end; one that ran before goes on.
USAGE
}

exec 2>&1 # one stream, in order
die() { echo "test.sh: $*"; exit 1; }

filter='' sanitizer='' lint=1
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --sanitize) (($# > 1)) || die "--sanitize needs thread or address."; sanitizer=$2; shift ;;
    --sanitize=*) sanitizer=${1#*=} ;;
    --tls) export RABBITMQ_TEST_TLS=1 ;;
    --no-lint) lint= ;;
    -*) die "unknown argument '$1'; see scripts/test.sh --help." ;;
    *) [[ -z $filter ]] || die "one filter only, not '$filter' and '$1'."; filter=$1 ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."

options=()
case $sanitizer in
'') ;;
thread | address)
    options+=(--sanitize "$sanitizer" --scratch-path ".build-$sanitizer" -Xswiftc "-DSANITIZE_${sanitizer^^}")
    ;;
*) die "--sanitize needs thread or address, not '$sanitizer'." ;;
esac

echo "==> setup"
scripts/setup.sh --pika

if [[ -n $lint ]]; then
    echo "==> lint"
    scripts/lint.sh
fi

echo "==> build"
# SwiftPM leaves this flag out where it compiles other packages.
swift build --build-tests -Xswiftc -warnings-as-errors "${options[@]}"

echo "==> broker"
if ! scripts/broker.sh status >/dev/null; then
    trap 'scripts/broker.sh stop >/dev/null' EXIT
fi
scripts/broker.sh start
settings=$(scripts/broker.sh env)
eval "$settings"
export RABBITMQ_TEST_PYTHON=$PWD/.build/venv/bin/python

echo "==> test"
if [[ -n $filter ]]; then options+=(--filter "$filter"); fi
# All at once, they would wait for each other on a machine of two cores until deadlines pass.
width=--experimental-maximum-parallelization-width
if swift test --help-hidden | grep -q -e "$width"; then options+=("$width" 6); fi
log=$(mktemp)
# A test that hangs ends here, and not where nobody says which one it was.
patience=15m
[[ -z $sanitizer ]] || patience=45m
# Not built again: without the flag above, all of it would be.
if timeout --kill-after 10s "$patience" swift test --skip-build "${options[@]}" | tee "$log"; then
    rm -f "$log"
else
    status=$?
    if ((status == 124)); then echo "==> not done after $patience"; fi
    echo "==> what failed"
    # An issue's own lines come with it: its values and its comment stand below, each behind an arrow.
    grep -a -A 4 -e '^✘' "$log" | grep -a -e '^✘' -e '↳' -e 'rror:' || tail -n 40 "$log"
    rm -f "$log"
    exit "$status"
fi

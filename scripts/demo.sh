#!/usr/bin/env bash
# The main job in one command: set up, start a private broker, build the tool, send messages round.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/demo.sh [--messages N]

Installs what is missing (scripts/setup.sh), starts the private broker (scripts/broker.sh), builds the tool rmq and
runs `rmq demo`: it publishes N messages (default 10000), consumes and acknowledges them, and prints counts and rate.
The exit status is 0 only if every message came back. A broker that this command started is stopped at the end.
USAGE
}

die() { echo "demo.sh: $*" >&2; exit 1; }

messages=10000
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --messages) (($# > 1)) || die "--messages needs a number."; messages=$2; shift 2 ;;
    --messages=*) messages=${1#*=}; shift ;;
    *) die "unknown argument '$1'; see scripts/demo.sh --help." ;;
    esac
done
[[ $messages =~ ^[1-9][0-9]{0,8}$ ]] || die "--messages needs a whole number from 1 to 999999999, not '$messages'."

cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "==> 1 of 4: what this machine needs"
scripts/setup.sh

echo "==> 2 of 4: a private RabbitMQ on loopback"
if ! scripts/broker.sh status >/dev/null 2>&1; then
    trap 'scripts/broker.sh stop' EXIT
fi
scripts/broker.sh start
settings=$(scripts/broker.sh env)
eval "$settings"

echo "==> 3 of 4: building the tool rmq"
swift build -c release --traits Tool --product rmq

echo "==> 4 of 4: $messages messages round"
"$(swift build -c release --traits Tool --product rmq --show-bin-path)/rmq" demo --uri "$RABBITMQ_URI" --messages "$messages"

#!/usr/bin/env bash
# The main job in one command: set up, start a private broker, build the tool, send messages round.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/demo.sh [--messages N] [--cluster [--release 4.0|4.3]]

Installs what is missing (scripts/setup.sh), starts the private broker (scripts/broker.sh), builds the tool rmq and
runs `rmq demo`: it publishes N messages (default 10000), consumes and acknowledges them, and prints counts and rate.
The exit status is 0 only if every message came back. A broker that this command started is stopped at the end.

  --cluster  shows partitions instead: on three nodes, which are started anew, there are nine queues, a publisher and
             a worker on each node, and messages of 60 keys. In the middle of it the node is killed whose worker has all
             partitions, on which three of the queues have their leaders. It prints how many connections and leaders
             a node has and how many messages a partition, and what it checks: that each key's messages were in one
             partition and in order, that none is missing, that connections and partitions went to another node. The
             exit status is 0 only if all of it is so. What a cluster of this checkout had stored is gone afterwards.
  --release  with --cluster: that RabbitMQ, as scripts/broker.sh --help says, rather than the one that is installed
USAGE
}

die() { echo "demo.sh: $*" >&2; exit 1; }

messages=10000 cluster='' broker=(scripts/broker.sh)
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --messages) (($# > 1)) || die "--messages needs a number."; messages=$2; shift 2 ;;
    --messages=*) messages=${1#*=}; shift ;;
    --cluster) cluster=1; shift ;;
    --release) (($# > 1)) || die "--release needs 4.0 or 4.3."; broker+=(--release "$2"); shift 2 ;;
    *) die "unknown argument '$1'; see scripts/demo.sh --help." ;;
    esac
done
[[ $messages =~ ^[1-9][0-9]{0,8}$ ]] || die "--messages needs a whole number from 1 to 999999999, not '$messages'."
[[ -n $cluster || ${#broker[@]} == 1 ]] || die "--release goes with --cluster."

cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "==> 1 of 4: what this machine needs"
scripts/setup.sh

if [[ -n $cluster ]]; then
    broker+=(--cluster)
    work=$(mktemp -d)
    # shellcheck disable=SC2317,SC2329 # called at the end
    finish() {
        jobs -p | xargs -r kill 2>/dev/null || true
        "${broker[@]}" stop >/dev/null || true
        rm -rf "$work"
    }
    by_node() { # lines each of which names a node
        local node
        for node in a b c; do printf ' %s %s' "$node" "$(grep -c "rabbitmq-swift-$node@" <<<"$1" || true)"; done
    }
    leaders() { "${broker[@]}" ctl --node a -q list_queues --no-table-headers name leader | grep '^demo\.orders\.' || true; }

    echo "==> 2 of 4: three nodes of RabbitMQ on loopback"
    "${broker[@]}" stop >/dev/null
    trap finish EXIT
    "${broker[@]}" start --fresh
    uris=()
    for node in a b c; do
        settings=$("${broker[@]}" env --node "$node")
        eval "$settings"
        uris+=("$RABBITMQ_URI")
    done

    echo "==> 3 of 4: building Tests/PartitionProbe"
    swift build -c release --product PartitionProbe
    probe=$(swift build -c release --product PartitionProbe --show-bin-path)/PartitionProbe

    echo "==> 4 of 4: $messages messages, in the middle of which node b is killed"
    "$probe" "$messages" "$work/killed" "${uris[@]}" >"$work/out" 2>&1 &
    running=$!
    # It ends by itself where this takes too long.
    while ! grep -qx half "$work/out" && kill -0 "$running" 2>/dev/null; do sleep 0.1; done
    grep -qx half "$work/out" || { cat "$work/out" >&2; die "the first half was not published."; }
    connections=$("${broker[@]}" ctl --node a -q list_connections --no-table-headers pid)
    before=$(leaders)
    echo "connections on each node:$(by_node "$connections")"
    echo "leaders on each node:$(by_node "$before")"
    "${broker[@]}" kill --node b
    touch "$work/killed"
    status=0
    wait "$running" || status=$?
    for ((try = 0; try < 30; try++)); do
        after=$(leaders)
        [[ -n $after && $after != *rabbitmq-swift-b@* ]] && break
        sleep 1
    done
    echo "leaders on each node, of which b is gone:$(by_node "$after")"
    grep -vx half "$work/out"
    ((status == 0)) || die "not all of it is so."
    [[ $before == *rabbitmq-swift-b@* && $connections == *rabbitmq-swift-b@* ]] ||
        die "node b had no leader or no connection: that it was killed showed nothing."
    [[ $(wc -l <<<"$after") == 9 && $after != *rabbitmq-swift-b@* ]] || die "a partition has no leader, or one that is gone."
    echo "demo.sh: keys in order, nothing lost"
    exit
fi

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

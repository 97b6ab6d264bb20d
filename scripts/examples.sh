#!/usr/bin/env bash
# The library compiles beside NIO, Hummingbird, ServiceLifecycle and Vapor, as its documentation shows, and a service made of
# the first three answers while its broker is restarted.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/examples.sh [--restart [--seconds N]]
       scripts/examples.sh --vapor

Builds the package in Tests/BesideOthers, whose code the documentation's article BesideOthers shows, into
.build-examples. The first time it clones what that depends on, and takes some minutes.

  --vapor      builds Tests/WithVapor instead, the code of the article WithVapor, into .build-vapor: Vapor brings some thirty
               packages
  --restart    then runs its application against the private broker (scripts/broker.sh), with four clients that post an order
               after the other, while the broker is stopped and started in good order, and then killed and started. Every
               request must be answered with 202, and every order be taken: exit 1 if not.
  --seconds N  how long the clients post before, between and after these; 5 by default
USAGE
}

die() { echo "examples.sh: $*" >&2; exit 1; }

restarts=false seconds=5 package=BesideOthers build=.build-examples
while (($#)); do
    case $1 in
    --restart) restarts=true ;;
    --vapor) package=WithVapor build=.build-vapor ;;
    --seconds) (($# > 1)) || die "--seconds needs a number."; seconds=$2; shift ;;
    --help | -h) usage; exit ;;
    *) die "unknown argument '$1'; see scripts/examples.sh --help." ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]?$ ]] || die "--seconds is a number from 1 to 99."
[[ $package == BesideOthers ]] || ! $restarts || die "--restart is not for --vapor."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.2 or later from https://www.swift.org/install/linux"
swift build --package-path "Tests/$package" --scratch-path "$build"
$restarts || exit 0

command -v curl >/dev/null || die "--restart needs curl."
scripts/broker.sh start
eval "$(scripts/broker.sh env)"
export RABBITMQ_URI
app=$(swift build --package-path Tests/BesideOthers --scratch-path .build-examples --show-bin-path)/BesideOthers
work=$(mktemp -d)
port=$((RANDOM % 20000 + 30000))
pids=()
finish() {
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

PORT=$port stdbuf -oL "$app" >"$work/app" 2>"$work/log" &
service=$!
pids+=("$service")

post() { curl --silent --output /dev/null --max-time 60 --write-out '%{http_code} %{time_total}\n' \
    --header 'content-type: application/json' --data "{\"id\":$1}" "http://127.0.0.1:$port/orders" || true; }

for ((i = 0; i < 100; i++)); do
    [[ $(post 0) == 202* ]] && break
    sleep 0.1
done
((i < 100)) || { cat "$work/log" >&2; die "the application does not answer."; }

client() {
    local id=$1
    while [[ ! -e $work/stop ]]; do
        post "$id" >>"$work/answers.$1"
        echo "$id" >>"$work/posted.$1"
        id=$((id + 4))
        sleep 0.01
    done
}
for ((i = 1; i <= 4; i++)); do
    client "$i" &
    pids+=("$!")
done

sleep "$seconds"
echo "==> the broker is stopped in good order, and started"
scripts/broker.sh stop >/dev/null
scripts/broker.sh start >/dev/null
sleep "$seconds"
echo "==> the broker is killed, and started"
kill -9 "$(scripts/broker.sh ctl eval 'list_to_integer(os:getpid()).')"
scripts/broker.sh start >/dev/null
sleep "$seconds"
touch "$work/stop"
wait "${pids[@]:1}"

# What is unsettled is delivered again, and taken a moment later.
taken() { sed -n 's/^took order //p' "$work/app" | sort -n | uniq; }
sort -n "$work"/posted.* | uniq >"$work/posted"
for ((i = 0; i < 100; i++)); do
    taken | grep -vx 0 >"$work/taken" || true
    [[ -z $(comm -23 <(sort "$work/posted") <(sort "$work/taken")) ]] && break
    sleep 0.2
done
kill -TERM "$service"
status=0
wait "$service" || status=$?

posted=$(wc -l <"$work/posted")
answered=$(cat "$work"/answers.* | grep -c '^202 ' || true)
longest=$(cat "$work"/answers.* | awk '{ if ($2 > most) most = $2 } END { print most }')
doubled=$(sed -n 's/^took order //p' "$work/app" | sort | uniq -d | wc -l)
missing=$(comm -23 <(sort "$work/posted") <(sort "$work/taken") | wc -l)
echo "==> $posted orders posted, $answered answered with 202 (the slowest after $longest s), $missing not taken, $doubled taken twice or more; the service ended with $status"
((answered == posted && missing == 0 && status == 0)) || { tail -n 20 "$work/log" >&2; exit 1; }

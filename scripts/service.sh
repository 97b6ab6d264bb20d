#!/usr/bin/env bash
# A whole service with this library: its tests run without a server, and it keeps its promises while the broker and itself are
# stopped, killed and started.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/service.sh [--run [--seconds N]]

Builds the package in Tests/OrderService, a service that takes orders over HTTP, books them from a queue, answers prices by
RPC, and tells of its health, its metrics and its traces, into .build-service; and runs its tests, on the broker of the test
kit. The first time it clones what that depends on, and takes some minutes.

  --run        then runs it against the private broker (scripts/broker.sh), with eight clients that post an order and ask for a
               price, one after the other, while
                 - the broker is stopped in good order, and started,
                 - the broker is killed, and started,
                 - the service gets SIGTERM under load, and is started again;
               and then sends it SIGTERM while the broker is stopped. Exit 1 unless every order was answered with 202, and is
               booked once, or once and announced as doubled; every price was answered with 200; the health was told as it was;
               and both SIGTERMs ended it with status 0, in time.
  --seconds N  how long the clients go on before, between and after these; 15 by default, about a minute in all
USAGE
}

die() { echo "service.sh: $*" >&2; exit 1; }

run=false seconds=15
while (($#)); do
    case $1 in
    --run) run=true ;;
    --seconds) (($# > 1)) || die "--seconds needs a number."; seconds=$2; shift ;;
    --help | -h) usage; exit ;;
    *) die "unknown argument '$1'; see scripts/service.sh --help." ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]?$ ]] || die "--seconds is a number from 1 to 99."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.2 or later from https://www.swift.org/install/linux"
package=(--package-path Tests/OrderService --scratch-path .build-service)
swift build --build-tests "${package[@]}"
swift test --skip-build "${package[@]}"
$run || exit 0

command -v curl >/dev/null || die "--run needs curl."
work=$(mktemp -d)
port=$((RANDOM % 20000 + 30000))
url=http://127.0.0.1:$port
app=$(swift build "${package[@]}" --show-bin-path)/OrderService
clients=8
# A SIGTERM may take so long under load, and so long without a broker.
term_limit=20 down_limit=10
pids=() service=''
# Nothing of a run may stay for the next.
delete_queues() {
    scripts/broker.sh ctl eval '[rabbit_amqqueue:delete(Q, false, false, <<"service">>) || N <- [<<"shop.orders">>,
        <<"shop.orders.parked">>, <<"shop.orders.retry.500">>, <<"shop.orders.retry.2000">>,
        <<"shop.orders.retry.8000">>, <<"shop.orders.retry.32000">>, <<"shop.prices">>],
        {ok, Q} <- [rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, N))]].' >/dev/null 2>&1 || true
}
started=''
finish() {
    touch "$work/stop"
    for pid in ${pids[@]+"${pids[@]}"} $service; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    # It is stopped at the end of a run, and may be at any time before.
    scripts/broker.sh start >/dev/null 2>&1 && delete_queues
    if [[ -n $started ]]; then scripts/broker.sh stop >/dev/null 2>&1 || true; fi
    rm -rf "$work"
}
scripts/broker.sh status >/dev/null || started=1
trap finish EXIT
scripts/broker.sh start
delete_queues
eval "$(scripts/broker.sh env)"
export RABBITMQ_URI

# --- the service and its clients

ask() { # what is printed of the answer, path, more options of curl
    local format=$1 path=$2
    shift 2
    curl --silent --output /dev/null --max-time 60 --write-out "$format" "$@" "$url$path" || true
}
post() { # number of the order
    ask '%{http_code} %{time_total}' /orders --header 'content-type: application/json' \
        --data "{\"id\":$1,\"item\":\"tea\"}"
}
begin_service() {
    HTTP_PORT=$port LEDGER=$work/ledger TRACE=true stdbuf -oL "$app" >>"$work/out" 2>>"$work/log" &
    service=$!
    for ((i = 0; i < 200; i++)); do
        [[ $(ask '%{http_code}' /health) == 200 ]] && return
        sleep 0.1
    done
    tail -n 20 "$work/log" >&2
    die "the service does not say that it is healthy."
}
end_service() { # the most seconds that it may take
    local start=$EPOCHREALTIME status=0
    kill -TERM "$service"
    wait "$service" || status=$?
    service=''
    took=$(awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.2f", end - start }')
    ((status == 0)) || { tail -n 20 "$work/log" >&2; die "SIGTERM ended the service with status $status."; }
    awk -v took="$took" -v most="$1" 'BEGIN { exit !(took <= most) }' ||
        die "SIGTERM took $took s, where $1 s were allowed."
}
# While the service itself is away nobody listens, or it hangs up before it has begun: asked again then, as clients do.
persist() { # what to call, the answer that ends it, arguments
    local call=$1 wanted=$2 away answer
    shift 2
    while :; do
        away=$(compgen -G "$work/away" || true)
        answer=$("$call" "$@")
        if [[ $answer == "$wanted"* || ( -z $away && ! -e $work/away ) ]]; then break; fi
        sleep 0.1
    done
    echo "$answer"
}
price() { ask '%{http_code}' /prices/tea; }
client() { # its number
    local id=$1
    while [[ ! -e $work/stop ]]; do
        echo "$id $(persist post 202 "$id")" >>"$work/posted.$1"
        persist price 200 >>"$work/prices.$1"
        id=$((id + clients))
        sleep 0.01
    done
}

begin_service
echo "==> one order, as it is traced"
post 0 >/dev/null
for ((i = 0; i < 100; i++)); do
    grep -qx 'booked 0' "$work/out" && break
    sleep 0.1
done
# The span of a handler ends a moment after what it has done.
sleep 0.2
curl --silent "$url/trace" | grep -v '/health' | tee "$work/trace"
grep -q 'producer publish shop.orders' "$work/trace" && grep -q 'consumer process shop.orders' "$work/trace" ||
    die "the spans of publishing and booking are not there."
# The order's way is one trace: from the request to the booking.
(($(grep -E 'publish shop.orders|process shop.orders' "$work/trace" | awk '{ print $1 }' | sort -u | wc -l) == 1)) ||
    die "publishing and booking are not in one trace."

for ((i = 1; i <= clients; i++)); do
    client "$i" &
    pids+=("$!")
done
sleep "$seconds"
echo "==> the broker is stopped in good order, and started"
scripts/broker.sh stop >/dev/null
unhealthy=$(ask '%{http_code}' /health)
scripts/broker.sh start >/dev/null
sleep "$seconds"
echo "==> the broker is killed, and started"
scripts/broker.sh kill >/dev/null
scripts/broker.sh start >/dev/null
sleep "$seconds"
echo "==> the service's metrics, of RabbitMQ"
curl --silent "$url/metrics" | grep -E '^(messaging|rabbitmq)_' | tee "$work/metrics"
echo "==> the service gets SIGTERM under load, and is started again"
touch "$work/away"
end_service "$term_limit"
under_load=$took
begin_service
rm "$work/away"
sleep "$seconds"
touch "$work/stop"
wait "${pids[@]}"
pids=()

# What waits for another try, or was unsettled, comes a moment later.
cut -d ' ' -f 1 "$work"/posted.* | sort -u >"$work/ids"
for ((i = 0; i < 300; i++)); do
    [[ -z $(comm -23 "$work/ids" <(sort "$work/ledger")) ]] && break
    sleep 0.2
done

echo "==> the broker is stopped, and the service gets SIGTERM"
scripts/broker.sh stop >/dev/null
end_service "$down_limit"
posted=$(cat "$work"/posted.* | wc -l)
answered=$(cat "$work"/posted.* | awk '$2 == 202' | wc -l)
longest=$(cat "$work"/posted.* | awk '{ if ($3 > most) most = $3 } END { print most }')
prices=$(cat "$work"/prices.* | wc -l)
priced=$(cat "$work"/prices.* | grep -cx 200 || true)
missing=$(comm -23 "$work/ids" <(sort "$work/ledger") | wc -l)
twice=$(sort "$work/ledger" | uniq -d | wc -l)
doubled=$(grep -c '^doubled ' "$work/out" || true)
recoveries=$(awk '/^rabbitmq_client_connection_recoveries/ { print int($2) }' "$work/metrics")
echo "==> $posted orders, $answered answered with 202 (the slowest after $longest s), $missing not booked, $twice booked twice," \
    "$doubled announced as doubled; $prices prices, $priced answered; ${recoveries:-0} recoveries; SIGTERM took $under_load s" \
    "under load, $took s without a broker"
[[ $unhealthy == 503 ]] || die "without a broker the service's health was $unhealthy, not 503."
((posted > 0 && answered == posted && missing == 0 && twice == 0 && priced == prices && ${recoveries:-0} >= 2)) ||
    { tail -n 20 "$work/log" >&2; die "not as it is to be."; }

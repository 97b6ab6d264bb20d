#!/usr/bin/env bash
# RabbitMQ's tutorials in Swift, and the README's program: each program of Tests/Tutorials does what its page says.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/tutorials.sh

Compiles each program of Tests/Tutorials against the library that was built last (swift build, or scripts/test.sh),
runs it against the private broker (scripts/broker.sh), and looks at what it prints; exit 1 if that is not what the
tutorial's page says. A broker that this starts is stopped at the end. It takes about a minute. Two of the programs
work with Celery, which comes from PyPI into .build/celery, and are left out where it does not.

By hand, against a RabbitMQ on this machine: swift run --package-path Tests/Tutorials Send
USAGE
}

die() { echo "tutorials.sh: $*" >&2; exit 1; }

celery_version=5.7.0

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) die "unknown argument '$1'; see scripts/tutorials.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
products=$(readlink -f .build/debug 2>/dev/null || true)
[[ -e $products/Modules/RabbitMQ.swiftmodule && -d $products/DescriptorProbe.product ]] ||
    die "the library is not built here: swift build --build-tests"

# Not mktemp: rabbitmq's own user need not see it, but what fails is to be looked at.
work=$PWD/.build/tutorials
rm -rf "$work"
mkdir -p "$work"
pids=()
started=''
finish() {
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    # The names are the tutorials', so that nothing of a run may stay for the next.
    scripts/broker.sh ctl eval '[rabbit_amqqueue:delete(Q, false, false, <<"tutorials">>) || N <- [<<"celery">>, <<"swift">>, <<"orders">>, <<"orders.failed">>, <<"hello">>,
        <<"task_queue">>, <<"rpc_queue">>, <<"hello_stream">>],
        {ok, Q} <- [rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, N))]].' >/dev/null 2>&1 || true
    if [[ -n $started ]]; then scripts/broker.sh stop >/dev/null; fi
}
trap finish EXIT
scripts/broker.sh status >/dev/null || started=1
scripts/broker.sh start
eval "$(scripts/broker.sh env)"

echo "==> the programs are compiled"
declared=$(swift package --package-path Tests/Tutorials describe --type json |
    python3 -c 'import json, sys; print(*sorted(t["name"] for t in json.load(sys.stdin)["targets"]))')
there=$(cd Tests/Tutorials/Sources && printf '%s\n' * | LC_ALL=C sort | xargs)
[[ $declared == "$there" ]] || die "Package.swift has the programs $declared, but the folders are $there."
# The library's objects, as SwiftPM links them into a program that has nothing else, in one file: that links once.
grep -v '/DescriptorProbe\.build/' "$products/DescriptorProbe.product/Objects.LinkFileList" >"$work/objects"
swiftc -emit-library -o "$work/libTutorial.so" @"$work/objects" -lrabbitmq -lssl -lcrypto
compile() { # program
    mkdir -p "$work/$1.d"
    # They connect to the usual port of this machine; the private broker is at another.
    sed -e "s|Connection\.withConnection {|Connection.withConnection(ConnectionConfiguration(uri: \"$RABBITMQ_URI\")) {|" \
        -e "s|amqp://guest:guest@localhost:5672|$RABBITMQ_URI|" \
        "Tests/Tutorials/Sources/$1/main.swift" >"$work/$1.d/main.swift"
    grep -q "$RABBITMQ_URI" "$work/$1.d/main.swift" || { echo "$1 doesn't connect as the others do"; return 1; }
    # As SwiftPM compiles them: a module's name is none of the library's.
    swiftc -swift-version 6 -warnings-as-errors -module-name "Tutorial$1" -I "$products/Modules" -I Sources/CRabbitMQ \
        "$work/$1.d/main.swift" -L "$work" -lTutorial -Xlinker -rpath -Xlinker "$work" -o "$work/$1"
}
export -f compile
export work products RABBITMQ_URI
# shellcheck disable=SC2016 # the inner shell's argument
printf '%s\n' $there | xargs -P 2 -I '{}' bash -c 'compile "$1"' _ '{}' || die "a program does not compile."

# Lines at once, also into a file.
begin() { # name of the output, program, arguments: runs it until the end
    local output=$work/$1.out
    shift
    stdbuf -oL "$work/$1" "${@:2}" >"$output" 2>&1 &
    pids+=("$!")
}
run() { # name of the output, program, arguments
    local output=$work/$1.out
    shift
    timeout 60 "$work/$1" "${@:2}" >"$output" 2>&1 || { cat "$output"; die "$1 failed."; }
}
expect() { # name of the output, a line that it has within 20 s
    for ((i = 0; i < 200; i++)); do
        if grep -qxF -- "$2" "$work/$1.out" 2>/dev/null; then return; fi
        sleep 0.1
    done
    cat "$work/$1.out"
    die "$1 does not print: $2"
}
lacks() { # name of the output, a text
    if grep -qF -- "$2" "$work/$1.out"; then cat "$work/$1.out"; die "$1 prints what it should not: $2"; fi
}

echo "==> the README's program"
begin orders Orders
expect orders 'order 17'

echo "==> hello world"
begin receive Receive
expect receive ' [*] Waiting for messages. To exit press CTRL+C'
run send Send
expect send " [x] Sent 'Hello World!'"
expect receive " [x] Received 'Hello World!'"

echo "==> work queues"
begin worker1 Worker
begin worker2 Worker
expect worker1 ' [*] Waiting for messages. To exit press CTRL+C'
expect worker2 ' [*] Waiting for messages. To exit press CTRL+C'
first=${pids[-2]}
run task NewTask first task.
run task NewTask second task.
# Each worker has one, as each takes one at a time.
for ((i = 0; i < 200; i++)); do
    if grep -q Received "$work/worker1.out" && grep -q Received "$work/worker2.out"; then break; fi
    sleep 0.1
done
grep -q Received "$work/worker1.out" && grep -q Received "$work/worker2.out" || die "one worker had both tasks."
for worker in worker1 worker2; do expect $worker ' [x] Done'; done
# What a worker does not finish, the other does.
run task NewTask unfinished task....
for ((i = 0; i < 200; i++)); do
    taken=$(grep -l 'unfinished' "$work"/worker?.out || true)
    [[ -z $taken ]] || break
    sleep 0.1
done
if [[ $taken == "$work/worker1.out" ]]; then kill "$first"; other=worker2; else kill "${pids[-1]}"; other=worker1; fi
expect $other " [x] Received 'unfinished task....'"

echo "==> publish and subscribe"
begin logs1 ReceiveLogs
begin logs2 ReceiveLogs
for logs in logs1 logs2; do expect $logs ' [*] Waiting for logs. To exit press CTRL+C'; done
run emit EmitLog
for logs in logs1 logs2; do expect $logs ' [x] info: Hello World!'; done

echo "==> routing"
begin direct ReceiveLogsDirect warning error
expect direct ' [*] Waiting for logs. To exit press CTRL+C'
run emit EmitLogDirect info Nobody hears this
run emit EmitLogDirect error Run. Run. Or it will explode.
expect direct ' [x] error:Run. Run. Or it will explode.'
lacks direct 'Nobody hears this'

echo "==> topics"
begin topic ReceiveLogsTopic 'kern.*' '*.critical'
expect topic ' [*] Waiting for logs. To exit press CTRL+C'
run emit EmitLogTopic cron.info Nobody hears this
run emit EmitLogTopic kern.critical A critical kernel error
expect topic ' [x] kern.critical:A critical kernel error'
lacks topic 'Nobody hears this'

echo "==> RPC"
begin server RPCServer
expect server ' [x] Awaiting RPC requests'
run client RPCClient
expect client ' [.] Got 832040'
run client RPCClient 41
expect client ' [.] The server says: 41 is not from 0 to 40'

echo "==> publisher confirms"
run confirms PublisherConfirms
(($(grep -c 'Published 5000 messages' "$work/confirms.out") == 3)) || die "PublisherConfirms does not publish three times."

echo "==> streams"
run streaming StreamSend
begin stream StreamReceive
expect stream ' [x] 99: Hello 100'
expect stream ' [x] 0: Hello 1'
begin later StreamReceive 90
expect later ' [x] 99: Hello 100'
lacks later ' [x] 89: '

echo "==> Celery"
celery=$PWD/.build/celery
has_celery() { "$celery/bin/python" -c "import celery; exit(celery.__version__ != '$celery_version')" 2>/dev/null; }
has_celery || { python3 -m venv --clear "$celery" &&
    "$celery/bin/python" -m pip install --quiet --disable-pip-version-check "celery==$celery_version"; } || true
if has_celery; then
    (cd Tests/Tutorials/Celery && PYTHONDONTWRITEBYTECODE=1 exec "$celery/bin/celery" -A tasks worker --pool solo \
        --without-gossip --without-mingle --loglevel info) >"$work/celery.out" 2>&1 &
    pids+=("$!")
    begin swift CeleryWorker
    expect swift ' [*] Waiting for tasks. To exit press CTRL+C'
    for ((i = 0; i < 300; i++)); do
        if grep -q 'ready\.' "$work/celery.out"; then break; fi
        sleep 0.1
    done
    run call CeleryCall
    expect call ' [.] SUCCESS: 4'
    (cd Tests/Tutorials/Celery && PYTHONDONTWRITEBYTECODE=1 timeout 60 "$celery/bin/python" -c \
        'from tasks import app; print(app.send_task("proj.tasks.add", [3, 4], queue="swift").get(timeout=20))') \
        >"$work/python.out" 2>&1 || { cat "$work/python.out"; die "no worker in Swift answered Celery."; }
    expect python 7
else
    echo "left out: Celery $celery_version can't be had from PyPI"
fi

echo "tutorials.sh: $(wc -w <<<"$there") programs, each as its page says"

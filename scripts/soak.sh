#!/usr/bin/env bash
# The long forms of what is run in short with the tests. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/soak.sh [--minutes M] [--seed S] [--rate N] [--pause S] [--tls] [--sanitize address]
       scripts/soak.sh --sessions N [--seed S] [--sanitize address]
       scripts/soak.sh --models N [--seed S]
       scripts/soak.sh --faults
       scripts/soak.sh --callers M

Without another mode: publishers with confirms (`recovery.unconfirmed = .resend`) and consumers on a classic queue, a quorum
queue and a stream, RPC calls, channels and connections that come and go, all through a proxy that does something to them
again and again. Each minute a line says what was sent, confirmed, failed, delivered, not delivered yet and doubled, and
the process's memory, descriptors and threads; from minute 12 on also by how much memory grows a minute, counted from
minute 10, when all that is made once is there. The last line says "passed" (exit 0) if nothing that was confirmed is
undelivered, no await took longer than its deadline, each kind of work went on in each minute, no more descriptors are open
than at the beginning, and memory grows by less than 0.1 MB a minute. That is judged from 30 minutes on.

  --minutes M    how long (default 10)
  --seed S       which faults, sessions or steps (default 1)
  --rate N       messages a second in each of the three lanes (default 100)
  --pause S      seconds between faults (default 10)
  --tls          over TLS
  --sanitize address   under the address sanitizer, which also tells at the end what was leaked (exit 1)

  --sessions N   Tests/SessionFuzzer: N sessions of a broker that breaks the protocol. No broker is needed
  --sanitize address   under the address sanitizer
  --models N     the model checks with N steps each. No broker is needed
  --faults       the whole fault battery: sessions cut after each of their first 2,048 bytes, and in steps to 64 KiB;
                 once more in the first 2,048 after they were cut before; and over TLS, after each of their first 5,000
  --callers M    a thousand tasks do everything at random on one channel for M minutes, a third of them cancelled amid it

The private broker is started if it does not run, and stopped then. All on loopback.
USAGE
}

die() { echo "soak.sh: $*" >&2; exit 64; }

mode=traffic seed=1 sessions='' steps='' callers='' sanitizer='' tls='' options=()
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --tls) tls=1 ;;
    --faults) mode=faults ;;
    --minutes | --rate | --pause | --seed | --sessions | --models | --sanitize | --callers)
        (($# > 1)) || die "$1 needs a value; see scripts/soak.sh --help."
        case $1 in
        --seed) seed=$2 ;;
        --sessions) mode=sessions sessions=$2 ;;
        --models) mode=models steps=$2 ;;
        --callers) mode=callers callers=$2 ;;
        --sanitize) sanitizer=$2 ;;
        *) options+=("$1" "$2") ;;
        esac
        shift
        ;;
    *) die "unknown argument '$1'; see scripts/soak.sh --help." ;;
    esac
    shift
done
[[ -z $sanitizer || $sanitizer == address && ($mode == sessions || $mode == traffic) ]] ||
    die "--sanitize address goes with --sessions and --minutes."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=(-c release --traits Tool)
if [[ $sanitizer ]]; then build+=(--sanitize address --scratch-path .build-address-release -Xswiftc -DSANITIZE_ADDRESS); fi

case $mode in
sessions)
    if [[ $sanitizer ]]; then
        export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
    fi
    swift build "${build[@]}" --product SessionFuzzer >&2
    exec "$(swift build "${build[@]}" --show-bin-path)/SessionFuzzer" --sessions "$sessions" --seed "$seed"
    ;;
models)
    export RABBITMQ_MODEL_STEPS=$steps RABBITMQ_MODEL_SEED=$seed
    swift build --traits Tool --build-tests -Xswiftc -warnings-as-errors >&2
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    swift test --traits Tool --skip-build --filter ModelTests | tee "$log"
    # Swift calls it a success, too, if no test has that name.
    checked=$(grep -c ' steps in .*: nothing wrong$' "$log" || true)
    ((checked == 5)) || { echo "soak.sh: $checked of 5 models were checked." >&2; exit 1; }
    exit
    ;;
faults)
    export RABBITMQ_FAULTS=long
    exec scripts/test.sh --no-lint 'IntegrationTests.(CutSessionTests|CutHandshakeTests)/'
    ;;
callers)
    [[ $callers =~ ^[1-9][0-9]*$ ]] || die "--callers needs a number of minutes."
    export RABBITMQ_CALLERS=$callers
    exec scripts/test.sh --no-lint 'IntegrationTests.CallerTests/'
    ;;
esac

# Whatever is left unreachable at the end is a failure.
if [[ $sanitizer ]]; then export ASAN_OPTIONS=detect_leaks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}; fi
swift build "${build[@]}" --product SoakProbe >&2
if ! scripts/broker.sh status >/dev/null 2>&1; then
    trap 'scripts/broker.sh stop >&2' EXIT
    scripts/broker.sh start >&2
fi
variables=$(scripts/broker.sh env)
eval "$variables"
if [[ $tls ]]; then export RABBITMQ_TEST_TLS=1; fi
"$(swift build "${build[@]}" --show-bin-path)/SoakProbe" --seed "$seed" ${options[@]+"${options[@]}"}

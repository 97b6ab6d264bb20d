#!/usr/bin/env bash
# Everything that must hold, in one command: set up, start a private broker, lint, build, run all tests.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/test.sh [FILTER] [--broker 4.0|4.3 | --uri URI] [--cluster] [--sanitize thread|address] [--tls] [--traits]
                       [--fuzz] [--no-lint]

  FILTER       only tests whose name matches this regular expression (swift test --filter): a suite, such as
               IntegrationTests.RecoveryTests/, or a part of the function's name, which mostly is the test's sentence:
               'arrive in order'. The sentence in @Test("...") is not looked at. If no test matches, this fails
  --broker     against RabbitMQ 4.0 or 4.3 rather than the one that is installed: scripts/broker.sh --release sets it
               up, which needs root; the exit status is 69 where it can't be had
  --uri        against a broker that runs already, anywhere: amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://. Tests
               make queues and exchanges there, with names that begin with 'test.', and take them away.
               What needs rabbitmqctl, or the private broker's certificates and users, is left out
  --cluster    with the tests that need three nodes (scripts/broker.sh --cluster), which are started for them
  --sanitize   build with that sanitizer, in a build folder of its own, and run the tests under it
  --tls        integration tests connect over TLS (RABBITMQ_TEST_TLS=1)
  --traits     with all of the package's traits, in a build folder of its own: with a FILTER such as
               '(Service|Metrics|Tracing|ConfigurationReader|MessageText)Tests/|PerfToolTests/observed', what they add
  --fuzz       and scripts/fuzz.sh afterwards: what is parsed, 20 s each under libFuzzer and the address sanitizer
  --no-lint    leave out scripts/lint.sh

Installs what is missing (scripts/setup.sh --pika). Warnings of this package are errors. A broker that this command
started is stopped at the end; one that ran before goes on. Tests that were left out are counted in the last lines.
USAGE
}

exec 2>&1 # one stream, in order
die() { echo "test.sh: $*"; exit 1; }

filter='' sanitizer='' lint=1 uri='' cluster='' traits='' fuzz='' broker=(scripts/broker.sh)
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --broker) (($# > 1)) || die "--broker needs 4.0 or 4.3."; broker=(scripts/broker.sh --release "$2"); shift ;;
    --broker=*) broker=(scripts/broker.sh --release "${1#*=}") ;;
    --uri) (($# > 1)) || die "--uri needs the URI of a broker."; uri=$2; shift ;;
    --uri=*) uri=${1#*=} ;;
    --sanitize) (($# > 1)) || die "--sanitize needs thread or address."; sanitizer=$2; shift ;;
    --sanitize=*) sanitizer=${1#*=} ;;
    --cluster) cluster=1 ;;
    --fuzz) fuzz=1 ;;
    --tls) export RABBITMQ_TEST_TLS=1 ;;
    --traits) traits=1 ;;
    --no-lint) lint= ;;
    -*) die "unknown argument '$1'; see scripts/test.sh --help." ;;
    *) [[ -z $filter ]] || die "one filter only, not '$filter' and '$1'."; filter=$1 ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."

options=(--traits Tool)
if [[ -n $traits ]]; then
    [[ -z $sanitizer ]] || die "--traits and --sanitize have a build folder each."
    options=(
        --traits Tool,ConfigurationSupport,DistributedTracingSupport,MetricsSupport,ServiceLifecycleSupport,TextEncodings
        --scratch-path .build-traits
    )
fi
case $sanitizer in
'') ;;
thread | address)
    options+=(--sanitize "$sanitizer" --scratch-path ".build-$sanitizer" -Xswiftc "-DSANITIZE_${sanitizer^^}")
    # It can't see how Swift keeps what weak references point to, and calls that a leak. Leaks have tests of their own.
    export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
    ;;
*) die "--sanitize needs thread or address, not '$sanitizer'." ;;
esac
if [[ -n $uri ]]; then
    ((${#broker[@]} == 1)) || die "--broker starts a broker, --uri takes one that runs: not both."
    [[ -z ${RABBITMQ_TEST_TLS:-} ]] || die "with --uri it is an amqps:// URI that asks for TLS."
    [[ -z $cluster ]] || die "--cluster starts nodes, --uri takes a broker that runs: not both."
    [[ $uri =~ ^amqps?:// ]] || die "--uri needs a URI that begins with amqp:// or amqps://."
fi
"${broker[@]}" --help >/dev/null # refuses a release that is none

echo "==> setup"
scripts/setup.sh --pika

echo "==> broker"
# What an earlier eval has left is about another broker.
tls=${RABBITMQ_TEST_TLS:-}
for name in "${!RABBITMQ_TEST_@}"; do unset "$name"; done
if [[ -n $uri ]]; then
    export RABBITMQ_URI=$uri
    echo "the one that --uri gives"
else
    if [[ -n $tls ]]; then export RABBITMQ_TEST_TLS=$tls; fi
    started=()
    # shellcheck disable=SC2317,SC2329 # called at the end
    stop_started() { if ((${#started[@]})); then eval "${started[*]}" >/dev/null; fi; }
    trap stop_started EXIT
    if ! "${broker[@]}" status >/dev/null; then started+=("${broker[*]} stop;"); fi
    "${broker[@]}" start
    settings=$("${broker[@]}" env)
    eval "$settings"
    if [[ -n $cluster ]]; then
        # Tests end nodes: it begins anew each time.
        "${broker[@]}" --cluster stop >/dev/null
        started+=("${broker[*]} --cluster stop;")
        "${broker[@]}" --cluster start --fresh
        settings=$("${broker[@]}" --cluster env)
        RABBITMQ_TEST_CLUSTER=$(sed -n 's/^export RABBITMQ_TEST_BROKER=//p' <<<"$settings")
        export RABBITMQ_TEST_CLUSTER
    fi
fi
export RABBITMQ_TEST_PYTHON=$PWD/.build/venv/bin/python

if [[ -n $lint ]]; then
    echo "==> lint"
    scripts/lint.sh
fi

echo "==> build"
# SwiftPM leaves this flag out where it compiles other packages.
swift build --build-tests -Xswiftc -warnings-as-errors "${options[@]}"
products=$(swift build "${options[@]}" --show-bin-path)

# A program that links the library and nothing else. What the traits bring may link more.
if [[ -z $traits ]] && readelf -d "$products/DescriptorProbe" | grep -e 'libFoundation\.so' -e libFoundationInternationalization -e _FoundationICU; then
    die "the library links the whole of Foundation, whose ICU alone takes 41 MB."
fi

if [[ -n $uri ]]; then
    # One error rather than hundreds.
    "$products/rmq" demo --uri "$uri" --messages 1 || die "--uri: no message comes back."
fi

echo "==> test"
if [[ -n $filter ]]; then options+=(--filter "$filter"); fi
# All at once, they would wait for each other on a machine of two cores until deadlines pass. By the environment:
# older Swift does not know the option of that name.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6
log=$(mktemp)
# A test that hangs ends here, and not where nobody says which one it was.
patience=15m
[[ -z $sanitizer ]] || patience=45m
# What scripts/soak.sh --faults asks for: thousands of sessions, many of which end by a deadline of seconds.
[[ ${RABBITMQ_FAULTS:-} != long ]] || patience=4h
# What scripts/soak.sh --callers asks for.
[[ -z ${RABBITMQ_CALLERS:-} ]] || patience=$((RABBITMQ_CALLERS + 15))m
status=0
# Not built again: without the flag above, all of it would be.
timeout --kill-after 10s "$patience" swift test --skip-build "${options[@]}" | tee "$log" || status=$?
# Swift calls that passed, so that a filter with a slip in it would look like tests that pass.
if [[ -n $filter ]] && grep -a -q -e '^✔ Test run with 0 tests' "$log"; then
    rm -f "$log"
    die "no test's name matches '$filter'; see scripts/test.sh --help."
fi
if ((status)); then
    if ((status == 124)); then echo "==> not done after $patience"; fi
    echo "==> what failed"
    # An issue's own lines come with it: its values and its comment stand below, each behind an arrow.
    grep -a -A 4 -e '^✘' "$log" | grep -a -e '^✘' -e '↳' -e 'rror:' || tail -n 40 "$log"
fi
# Left out, but not in silence: why, as Tests/TestSupport/BrokerVersion.swift words it.
sed -n 's/^➜ Test .* skipped\(: "\(.*\)"\)\{0,1\}\.\{0,1\}$/\2/p' "$log" | sort | uniq -c | while read -r count why; do
    case $count,$why in
    1,needs*) echo "==> 1 test skipped: it $why" ;;
    *,needs*) echo "==> $count tests skipped: they need${why#needs}" ;;
    *) echo "==> $count skipped: ${why:-no reason is given}" ;;
    esac
done
rm -f "$log"
if [[ -n $fuzz ]]; then
    echo "==> fuzz"
    scripts/fuzz.sh || status=1
fi
exit "$status"

#!/usr/bin/env bash
# Every version of librabbitmq against every version of RabbitMQ that can be had here, as a table.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/compat.sh [--library installed|0.15|0.18]... [--broker installed|4.0|4.3]... [--readme]

Builds library, tool and tests against each librabbitmq, with warnings as errors, runs the tests that need no broker, and
the integration tests against each RabbitMQ. Prints a table of what ran, and writes it to .build/compat/table.md; the
logs are beside it. All of it takes about half an hour on two cores; without options nothing is left out.

  --library   only this librabbitmq: the installed one, 0.15 of Debian 13, 0.18 of Debian 14
  --broker    only this RabbitMQ: the installed one, 4.0 of Debian 13, 4.3 of Debian 14
  --readme    put the table into README.md as well, with the day on which this began and the commit that it tests; not
              with part of it, nor where something can't be had here

Those of other Debians are in the folders that scripts/broker.sh --release sets up (see its --help for what that needs).
What a compiler needs is added there, about 450 MB each. Swift is this machine's, lent to them.
The exit status is 0 if all passed, 1 if something failed, 69 if something can't be had here and the rest passed.
USAGE
}

die() { echo "compat.sh: $*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
# shellcheck source=scripts/broker/release.sh
source scripts/broker/release.sh

libraries=() brokers=() readme=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --library)
        case ${2:-} in
        installed | 0.15 | 0.18) libraries+=("$2") ;;
        *) die "--library needs installed, 0.15 or 0.18." ;;
        esac
        shift
        ;;
    --broker)
        case ${2:-} in
        installed | 4.0 | 4.3) brokers+=("$2") ;;
        *) die "--broker needs installed, 4.0 or 4.3." ;;
        esac
        shift
        ;;
    --readme) readme=1 ;;
    *) die "unknown argument '$1'; see scripts/compat.sh --help." ;;
    esac
    shift
done
# A part of it would stand there for all of it.
[[ -z $readme ]] || ((${#libraries[@]} + ${#brokers[@]} == 0)) || die "--readme goes without --library and --broker."
((${#libraries[@]})) || libraries=(installed 0.15 0.18)
((${#brokers[@]})) || brokers=(installed 4.0 4.3)
# When it began, and of what: it may end on another day, and the work tree change meanwhile.
day=$(date --utc +%F)
commit=$(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')

# What an earlier eval has left is about another broker.
for name in "${!RABBITMQ_TEST_@}"; do unset "$name"; done
out=$root/.build/compat
mkdir -p "$out"
swift_place=/opt/swift-of-host # where a chroot sees this machine's Swift
declare -A cells names
failures=0 missing=0

# --- brokers

broker_command() { # which broker
    if [[ $1 == installed ]]; then echo scripts/broker.sh; else echo "scripts/broker.sh --release $1"; fi
}

started=()
stop_brokers() {
    local command
    for command in "${started[@]}"; do $command stop; done
}
trap stop_brokers EXIT

start_broker() { # which broker
    local command status=0
    command=$(broker_command "$1")
    if ! $command status >/dev/null; then
        $command start || status=$?
        ((status == 0 || status == unavailable_status)) || die "RabbitMQ $1 didn't start."
        ((status == 0)) || return 1
        started+=("$command")
    fi
    names[broker,$1]="RabbitMQ $($command ctl -q version)"
}

# --- libraries

# The release whose Debian has this library.
release_of() { case $1 in 0.15) echo 4.0 ;; 0.18) echo 4.3 ;; esac; }

# Runs a command where this library is: here, or in a chroot that this package and this machine's Swift are lent to.
# What only this machine has (rabbitmqctl, pika) is called from there through 'outside'.
with_library() { # library, command
    local library=$1
    shift
    if [[ $library == installed ]]; then
        "$@"
        return
    fi
    scripts/broker/enter.sh "$chroot" "$root" "$(toolchain)=$swift_place" -- \
        env -C "$root" HOME="$scratch/home" PATH="$swift_place/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C.UTF-8 \
        LD_LIBRARY_PATH="$scratch/lent" "$@"
}

# The folder that holds Swift's bin and lib, wherever the command in PATH leads to.
toolchain() {
    swift -print-target-info | sed -n 's|.*"runtimeResourcePath": *"\(.*\)/lib/swift".*|\1|p'
}

prepare_library() { # library
    if [[ $1 == installed ]]; then
        scratch=$root/.build
        return
    fi
    use_release "$(release_of "$1")"
    (ensure_release) || return
    scratch=$root/.build-librabbitmq-$1
    local packages=(librabbitmq-dev libssl-dev pkg-config openssl g++ git tzdata)
    local mark=$chroot/var/lib/rabbitmq-swift-packages
    if [[ $(cat "$mark" 2>/dev/null) != "${packages[*]}" ]]; then
        echo "installing in $chroot: ${packages[*]}"
        if ! install_packages "$chroot" "${packages[@]}" >"$out/packages-$1.log" 2>&1; then
            echo "compat.sh: they can't be installed: see $out/packages-$1.log." >&2
            return 1
        fi
        echo "${packages[*]}" >"$mark"
    fi
    # The packages that this one depends on, as they were resolved here: a chroot has neither network nor mirrors of them.
    swift package --traits Tool resolve
    mkdir -p "$scratch/home"
    cp -a .build/checkouts .build/repositories .build/workspace-state.json "$scratch/"
    lend_libraries "$1"
}

# Swift was built for this machine's Debian: what it needs, and a later one has no longer, is lent, and nothing else.
lend_libraries() { # library
    local programs=(swift-build swift-frontend clang lld) places absent name
    rm -rf "$scratch/lent"
    mkdir -p "$scratch/lent"
    places=$(cd "$(toolchain)/bin" && ldd "${programs[@]}" 2>/dev/null | awk '$2 == "=>" { print $1, $3 }')
    while
        # shellcheck disable=SC2016
        absent=$(with_library "$1" sh -c 'ldd "$@" 2>/dev/null | sed -n "s/^\t\(.*\) => not found/\1/p" | sort -u' - \
            "${programs[@]/#/$swift_place/bin/}" "$scratch/lent/"*)
        [[ -n $absent ]]
    do
        for name in $absent; do
            cp -L "$(awk -v name="$name" '$1 == name { print $2; exit }' <<<"$places")" "$scratch/lent/$name" ||
                die "$name, which Swift needs, is neither in $chroot nor here."
        done
    done
}

build() { # library
    # SwiftPM leaves this flag out where it compiles other packages.
    with_library "$1" swift build --build-tests --traits Tool,TextEncodings -Xswiftc -warnings-as-errors --scratch-path "$scratch" >"$out/build-$1.log" 2>&1
}

# --- tests

# A command of this machine, for those in a chroot: they see its processes, so they can enter this one's view of files.
outside() { # name, command
    {
        echo '#!/bin/bash'
        printf 'exec nsenter --target %s --mount --root -- env -u LD_LIBRARY_PATH HOME=%q PATH=%q %q "$@"\n' \
            $$ "$HOME" "$PATH" "$2"
    } >"$out/$1"
    chmod 755 "$out/$1"
    echo "$out/$1"
}

run_tests() { # library, broker or none, filter
    local log=$out/test-$1-$2.log total skipped failed status=0 settings command
    (
        export RABBITMQ_TEST_PYTHON=$root/.build/venv/bin/python
        if [[ $2 != none ]]; then
            command=$(broker_command "$2")
            settings=$($command env)
            eval "$settings"
        fi
        if [[ $1 != installed && $2 != none ]]; then
            RABBITMQ_TEST_CTL=$(outside rabbitmqctl "$RABBITMQ_TEST_CTL")
            RABBITMQ_TEST_BROKER=$(outside broker "$RABBITMQ_TEST_BROKER")
            RABBITMQ_TEST_PYTHON=$(outside python "$RABBITMQ_TEST_PYTHON")
        fi
        # As in test.sh.
        export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6
        with_library "$1" timeout --kill-after 10s 15m swift test --skip-build --traits Tool,TextEncodings --scratch-path "$scratch" \
            --filter "$3"
    ) >"$log" 2>&1 || status=$?
    total=$(sed -n 's/^. Test run with \([0-9]*\) tests in .*/\1/p' "$log")
    skipped=$(grep -ac '^➜ Test .* skipped' "$log" || true)
    failed=$(grep -ac '^✘ Test .* failed after' "$log" || true)
    if ((status == 0 && ${total:-0} > 0)); then
        cells[$1,$2]="$((total - skipped)) passed"
        if ((skipped)); then cells[$1,$2]+=", $skipped left out"; fi
    else
        # The run's own line counts as one more.
        cells[$1,$2]="**$((failed > 1 ? failed - 1 : 1)) of ${total:-?} failed**"
        failures=$((failures + 1))
    fi
    echo "$1 library, $2 broker: ${cells[$1,$2]}"
}

# --- the table

print_table() {
    local library broker
    printf '| |'
    for library in "${libraries[@]}"; do printf ' %s |' "${names[library,$library]:-librabbitmq $library}"; done
    printf '\n|---|'
    for library in "${libraries[@]}"; do printf -- '---|'; done
    printf '\n'
    for broker in none "${brokers[@]}"; do
        printf '| %s |' "${names[broker,$broker]:-RabbitMQ $broker}"
        for library in "${libraries[@]}"; do printf ' %s |' "${cells[$library,$broker]:-not here}"; done
        printf '\n'
    done
}

# Between two marks, so that a second run replaces the table of the first.
put_into_readme() {
    local begin='<!-- written by scripts/compat.sh --readme -->' end='<!-- until here -->'
    (($(grep -cxF -e "$begin" -e "$end" README.md) == 2)) || die "README.md lacks the line '$begin' or '$end'."
    awk -v begin="$begin" -v end="$end" -v table="$out/table.md" -v day="$day" -v commit="$commit" '
        $0 == end { inside = 0 }
        !inside { print }
        $0 == begin {
            inside = 1
            print "On " day ", of " commit ":\n"
            while ((getline line < table) > 0) print line
        }' README.md >"$out/README.md"
    cat "$out/README.md" >README.md
}

# --- all of it

scripts/setup.sh --pika
names[broker,none]="without a broker"
for broker in "${brokers[@]}"; do
    start_broker "$broker" || missing=1
done
for library in "${libraries[@]}"; do
    if ! prepare_library "$library"; then
        missing=1
        continue
    fi
    names[library,$library]="librabbitmq $(with_library "$library" pkg-config --modversion librabbitmq),"
    names[library,$library]+=" OpenSSL $(with_library "$library" pkg-config --modversion openssl)"
    echo "==> ${names[library,$library]}: building"
    if ! build "$library"; then
        grep -E '(error|warning): ' "$out/build-$library.log" | sort -u | head -n 20 || tail -n 20 "$out/build-$library.log"
        failures=$((failures + 1))
        for broker in none "${brokers[@]}"; do cells[$library,$broker]="**did not build**"; done
        continue
    fi
    run_tests "$library" none RabbitMQTests
    for broker in "${brokers[@]}"; do
        [[ -z ${names[broker,$broker]:-} ]] || run_tests "$library" "$broker" IntegrationTests
    done
done

echo "==> what ran"
print_table | tee "$out/table.md"
if [[ -n $readme ]] && ((missing == 0)); then put_into_readme; fi
((failures == 0)) || die "$failures of the cells failed; the logs are in $out."
((missing == 0)) || { echo "compat.sh: not all of it can be had here." >&2; exit "$unavailable_status"; }

#!/usr/bin/env bash
# What the compiler doesn't check: format, layers, names in the pages, who may import C, excused concurrency, paths, log
# keys, the scripts' syntax.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/lint.sh

Checks, and lists on its output what is wrong (exit 1 if anything is):
  - swift-format, in lint mode, over Package.swift, Sources and Tests
  - the folders of Sources/RabbitMQ mention each other, and import CRabbitMQ, only as they may (scripts/layers.sh)
  - what the pages name in backticks is there (scripts/names.sh)
  - nothing else imports CRabbitMQ but the tests of what OpenSSL calls, and of what is compared with rabbitmq-c
  - Sources imports Glibc only with Musl beside it, the library Foundation only where there is no FoundationEssentials
    (scripts/imports.sh)
  - every @unchecked Sendable in Sources has a comment, on its line or the line before, that says why it holds
  - log lines take the keys of their metadata from Errors/LogKey.swift (scripts/log-keys.sh)
  - no path of somebody's home in Sources, Tests and scripts
  - in a file with noncopyable values nothing is assigned through an optional: Swift 6.3 leaks what that replaces
  - the scripts parse
  - the benchmark's rows, peers and verdicts are what its own tests say (scripts/bench/test_bench.py), if there is python3
USAGE
}

die() { echo "lint.sh: $*" >&2; exit 1; }

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) die "unknown argument '$1'; see scripts/lint.sh --help." ;;
esac

exec 2>&1 # one list, in order
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.1 or later from https://www.swift.org/install/linux"
swift format --version >/dev/null 2>&1 || die "this Swift has no swift-format: get 6.1 or later from https://www.swift.org/install/linux"

failures=0
report() { # what is wrong, the places
    if [[ -n $2 ]]; then
        printf 'lint.sh: %s\n%s\n' "$1" "$2"
        failures=$((failures + 1))
    fi
}
# Git's own list where there is one, so that build folders inside Tests don't count; new files count as well.
files() { # extension, folders
    local extension=$1
    shift
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard -- "$@"
    else
        find "$@" -name '.build*' -prune -o -type f -print0
    fi | while IFS= read -r -d '' file; do
        if [[ $file == *"$extension" && -f $file ]]; then printf '%s\0' "$file"; fi
    done
}

mapfile -d '' -t sources < <(files .swift Package.swift Sources Tests)
if ! swift format lint --strict --parallel "${sources[@]}"; then
    echo "lint.sh: swift-format is not content (swift format --in-place --parallel --recursive Package.swift Sources Tests mends most of it)"
    failures=$((failures + 1))
fi

if ! layers=$(scripts/layers.sh); then
    report "mentions that Sources/RabbitMQ/RabbitMQ.docc/Architecture.md doesn't allow:" "${layers:-scripts/layers.sh failed}"
fi

if ! names=$(scripts/names.sh); then
    report "the pages name what is not there (another project's names go into the list in scripts/names.sh):" \
        "${names:-scripts/names.sh failed}"
fi

# Any form: attributes, an access level, one declaration of the module.
report "only the layers of Sources/RabbitMQ, and their tests of TLS and of Wire, may import CRabbitMQ:" "$(
    printf '%s\0' "${sources[@]}" |
        xargs -0 grep -nHE '^[^/"]*\bimport[[:space:]]+([a-z]+[[:space:]]+)?CRabbitMQ\b' |
        grep -vE '^(Sources/RabbitMQ|Tests/RabbitMQTests/(Transport/TLS|Wire))/' || true
)"

if ! imports=$(scripts/imports.sh); then
    report "imports that would link too much, or that not every C library has (scripts/imports.sh --help):" \
        "${imports:-scripts/imports.sh failed}"
fi

report "@unchecked Sendable without a comment that says why it holds:" "$(
    # shellcheck disable=SC2016
    files .swift Sources | xargs -0 -r awk '
        FNR == 1 { before = "" }
        { code = $0; sub(/\/\/.*/, "", code) }
        code ~ /@unchecked[ \t]+Sendable/ && $0 !~ /\/\// && before !~ /^[ \t]*(\/\/|\*|\/\*)|\*\/[ \t]*$/ { print FILENAME ":" FNR ": " $0 }
        { before = $0 }'
)"

report "in a noncopyable value, what an assignment through an optional replaces is leaked (Traps.md):" "$(
    files .swift Sources | xargs -0 -r grep -lZE '~Copyable' |
        xargs -0 -r grep -nHE '[]A-Za-z0-9_)][?!](\.[A-Za-z0-9_]+|\[[^]]*\])+ *[-+*/&|^]?=[^=]' || true
)"

if ! keys=$(scripts/log-keys.sh); then
    report "a text for a key of a log line's metadata, or a key that is not spelt like the others:" \
        "${keys:-scripts/log-keys.sh failed}"
fi

report "a path of somebody's home:" "$(
    files '' Sources Tests scripts | xargs -0 -r grep -nHIE "(^|[^A-Za-z0-9_./-])/(home|root|Users)/[A-Za-z0-9._]" || true
)"

while IFS= read -r -d '' script; do
    if [[ $(head -n 1 "$script" | tr -d '\0') == '#!'*bash ]]; then
        report "$script doesn't parse:" "$(bash -n "$script" 2>&1 || true)"
    fi
done < <(files '' scripts .ci)

if command -v python3 >/dev/null && ! said=$(python3 -B scripts/bench/test_bench.py 2>&1); then
    report "the benchmark's own tests fail:" "$said"
fi

((failures == 0)) || die "$failures of the checks failed."
echo "lint.sh: all checks passed"

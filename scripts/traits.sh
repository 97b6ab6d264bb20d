#!/usr/bin/env bash
# The library builds without any of the package's traits, and with each of them alone. scripts/test.sh --traits has all of them on.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/traits.sh [TRAIT...]

Builds the library, and nothing else, without traits and then with each of its traits alone (or with those that are given),
with warnings as errors, into .build-traits. A minute or so for each.
USAGE
}

die() { echo "traits.sh: $*" >&2; exit 1; }

case ${1:-} in
--help | -h) usage; exit ;;
-*) die "unknown argument '$1'; see scripts/traits.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.1 or later from https://www.swift.org/install/linux"
traits=("$@")
if (($# == 0)); then
    traits=('' ConfigurationSupport DistributedTracingSupport MetricsSupport ServiceLifecycleSupport TextEncodings)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for trait in "${traits[@]}"; do
    options=(--scratch-path .build-traits --target RabbitMQ -Xswiftc -warnings-as-errors)
    if [[ -n $trait ]]; then options+=(--traits "$trait"); fi
    if ! swift build "${options[@]}" >"$log" 2>&1; then
        grep -e 'error:' "$log" | sort -u >&2 || cat "$log" >&2
        die "the library does not build ${trait:+with }${trait:-without any trait}."
    fi
    echo "traits.sh: builds ${trait:+with }${trait:-without any trait}"
done

#!/usr/bin/env bash
# The library and its test kit build without any of the package's traits, with each of them alone, and with all.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/traits.sh [TRAIT[,TRAIT]...]...

Builds the library and the test kit without traits, with each of the package's traits alone, and with all (or with those that
are given), with warnings as errors, into .build-each. A minute or so for each; the first time it clones what they need. The
tool, and its trait, are left out: scripts/test.sh has them. What the traits add is tested with all of them on, by
scripts/test.sh --traits.
USAGE
}

die() { echo "traits.sh: $*" >&2; exit 1; }

case ${1:-} in
--help | -h) usage; exit ;;
-*) die "unknown argument '$1'; see scripts/traits.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.1 or later from https://www.swift.org/install/linux"
# Those that the manifest has: a new one is not forgotten.
mapfile -t each < <(awk '/\.trait\(/ { inside = 1 }
    inside && match($0, /name: "[A-Za-z]+"/) { print substr($0, RSTART + 7, RLENGTH - 8); inside = 0 }' Package.swift |
    grep -vx Tool)
((${#each[@]} > 1)) || die "Package.swift has no traits that can be told."
traits=("$@")
if (($# == 0)); then traits=('' "${each[@]}" "$(IFS=,; echo "${each[*]}")"); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for trait in "${traits[@]}"; do
    options=(--scratch-path .build-each --target RabbitMQTesting -Xswiftc -warnings-as-errors)
    if [[ -n $trait ]]; then options+=(--traits "$trait"); fi
    if ! swift build "${options[@]}" >"$log" 2>&1; then
        grep -e 'error:' "$log" | sort -u >&2 || cat "$log" >&2
        die "the library does not build ${trait:+with }${trait:-without any trait}."
    fi
    echo "traits.sh: builds ${trait:+with }${trait:-without any trait}"
done

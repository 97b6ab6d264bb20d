#!/usr/bin/env bash
# The library compiles beside NIO, Hummingbird and ServiceLifecycle, as its documentation shows.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/examples.sh

Builds the package in Tests/BesideOthers, whose code the documentation's article BesideOthers shows, into
.build-examples. The first time it clones what that depends on, and takes some minutes.
USAGE
}

die() { echo "examples.sh: $*" >&2; exit 1; }

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) die "unknown argument '$1'; see scripts/examples.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.2 or later from https://www.swift.org/install/linux"
swift build --package-path Tests/BesideOthers --scratch-path .build-examples

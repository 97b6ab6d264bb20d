#!/usr/bin/env bash
# What users of the last release call is still there.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/api.sh [TAG]

Compares the public API of library and test kit with that of TAG, the last release by default: the newest tag before this commit
that begins with a number, or with v and a number. Exit 1 if something that users may call was removed or changed.
Where there is no tag it says so and passes.

What is meant to break, before 1.0 or for a new major version, has its line of the output in scripts/api-breakages.txt.
It builds the library twice, which takes some minutes.
USAGE
}

die() { echo "api.sh: $*" >&2; exit 1; }

tag=''
case ${1:-} in
--help | -h) usage; exit ;;
-*) die "unknown argument '$1'; see scripts/api.sh --help." ;;
*) tag=${1:-} ;;
esac
(($# < 2)) || die "one tag only; see scripts/api.sh --help."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z $tag ]]; then
    tag=$(git describe --tags --abbrev=0 --match '[0-9]*' --match 'v[0-9]*' 2>/dev/null || true)
    if [[ -z $tag ]]; then
        echo "api.sh: no release has a tag yet, so there is no API to compare with"
        exit
    fi
fi

# A build folder of its own: other options would have all of the usual one built anew.
command=(swift package --scratch-path .build-api diagnose-api-breaking-changes "$tag"
    --products RabbitMQ --products RabbitMQTesting)
if [[ -s scripts/api-breakages.txt ]]; then command+=(--breakage-allowlist-path scripts/api-breakages.txt); fi
echo "api.sh: comparing with $tag"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "${command[@]}" >"$log" 2>&1; then
    if grep -q 'API breakage:' "$log"; then
        grep -E 'API breakage:|breaking change' "$log"
        die "what users of $tag call is gone, or has changed."
    fi
    tail -n 40 "$log"
    die "could not compare with $tag."
fi
grep 'breaking change' "$log"

#!/usr/bin/env bash
# The keys of what is logged stand in one file, in one spelling: who reads logs looks for them.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/log-keys.sh [DIRECTORY]

Checks that no log line of DIRECTORY (Sources/RabbitMQ) has a text for a key of its metadata, but a constant of
Errors/LogKey.swift, where each is of small letters, with a hyphen between words. Each place where it is not so is a line of
output: file, line, the text of the line. Exit 1 if there is any.
USAGE
}

die() { echo "log-keys.sh: $*" >&2; exit 2; }

directory=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    -*) die "unknown argument '$1'; see scripts/log-keys.sh --help." ;;
    *) [[ -z $directory ]] || die "one directory only, not '$directory' and '$1'."; directory=${1%/} ;;
    esac
    shift
done
if [[ -z $directory ]]; then
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    directory=Sources/RabbitMQ
fi
keys=$directory/Errors/LogKey.swift
[[ -r $keys ]] || die "there is no $keys."
mapfile -d '' -t sources < <(find "$directory" -name '*.swift' -type f -not -path "$keys" -print0 | LC_ALL=C sort -z)

LC_ALL=C awk -v keys="$keys" '
/^[ \t]*\/\// { next }
FILENAME == keys {
    if (/=/ && !/= "[a-z]+(-[a-z]+)*"$/) wrong()
    next
}
# Only metadata has texts for keys and, beside them, texts in which something is interpolated.
/metadata\["/ || /^[ \t]*"[a-z][a-z -]*":$/ || (/"[^":]*": *"[^"]*\\\(/ && !/^[ \t]*case "/) { wrong() }
function wrong() { sub(/^[ \t]+/, ""); print FILENAME ":" FNR ": " $0; faults++ }
END { exit (faults > 0) }
' "$keys" ${sources[@]+"${sources[@]}"}

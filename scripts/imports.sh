#!/usr/bin/env bash
# The library links the small Foundation where there is one, and builds where the C library is musl.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/imports.sh [DIRECTORY]

Checks the imports of the Swift files in DIRECTORY (Sources). Each that is wrong is a line of output; exit 1 if there is
any. In all of it, Glibc is imported so only:

    #if canImport(Glibc)
    internal import Glibc
    #elseif canImport(Musl)
    internal import Musl
    #endif

and in its folder RabbitMQ, the library, Foundation so only, since one import of it links the whole, with its ICU:

    #if canImport(FoundationEssentials)
    internal import FoundationEssentials
    #else
    internal import Foundation
    #endif

The condition may go on (&& ...), and the access level is any, but the same for both.
USAGE
}

die() { echo "imports.sh: $*" >&2; exit 2; }

directory=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    -*) die "unknown argument '$1'; see scripts/imports.sh --help." ;;
    *) [[ -z $directory ]] || die "one directory only, not '$directory' and '$1'."; directory=${1%/} ;;
    esac
    shift
done
if [[ -z $directory ]]; then
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    directory=Sources
fi
mapfile -d '' -t sources < <(find "$directory" -name '*.swift' -type f -print0 | LC_ALL=C sort -z)
((${#sources[@]})) || die "there are no Swift files in $directory."

LC_ALL=C awk -v library="$directory/RabbitMQ/" '
FNR == 1 { check(); path = FILENAME; delete line }
{ line[FNR] = $0; count = FNR }
END { check(); exit faults > 0 }

function check(    k, name) {
    for (k = 1; k <= count; k++) {
        name = imported(line[k])
        if (name == "Glibc" && !(line[k - 1] == "#if canImport(Glibc)" && line[k + 1] == "#elseif canImport(Musl)" \
            && line[k + 2] == twin(line[k], name, "Musl") && line[k + 3] == "#endif"))
            complain(k, "Glibc is imported without Musl")
        if (name ~ /^Foundation/ && name != "FoundationEssentials" && index(path, library) == 1 \
            && !(name == "Foundation" && line[k - 3] ~ /^#if canImport\(FoundationEssentials\)( && .*)?$/ \
            && line[k - 2] == twin(line[k], name, "FoundationEssentials") && line[k - 1] == "#else" \
            && line[k + 1] == "#endif"))
            complain(k, name " is imported even where there is FoundationEssentials")
    }
    count = 0
}
# The module that a line imports, in any form: attributes, an access level, one declaration of the module.
function imported(text) {
    sub(/\/\/.*/, "", text)
    if (text !~ /^[ \t]*(@[A-Za-z_]+(\([^)]*\))?[ \t]+|[a-z]+[ \t]+)*import[ \t]/) return ""
    sub(/^.*import[ \t]+/, "", text)
    sub(/^(struct|class|enum|protocol|typealias|func|let|var)[ \t]+/, "", text)
    sub(/[^A-Za-z0-9_].*/, "", text)
    return text
}
function twin(text, name, other) { sub("import " name "$", "import " other, text); return text }
function complain(k, what) { print path ":" k ": " what; faults++ }
' "${sources[@]}"

#!/usr/bin/env bash
# Every block of Swift in the pages compiles.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/snippets.sh [--list] [PAGE...]

Compiles every block of Swift in README.md, .github/CONTRIBUTING.md and Sources/RabbitMQ/RabbitMQ.docc, or in the pages
that are given. A block that does not compile is an error, at its page and line: exit 1.

A block that stands in a Swift file of Tests or Sources, line for line, is compiled with that, and most run there. Every
other one is type-checked against the library that was built last (swift build, or scripts/test.sh): in a function that
has `configuration`, `connection`, `channel`, `exchange`, `queue`, `message` (which has come) and `name`, all of which a
block may define anew. What else a page takes for granted stands in it as a comment, which readers don't see:

    <!-- given
    struct Order: Codable, Sendable { var id: Int }
    func handle(_ order: Order) async throws {}
    -->

That counts for all blocks behind it, in this page. A block with an extension, a protocol or @main is a file of its own.
One that imports PackageDescription is a manifest, which SwiftPM reads. Blocks in other languages are passed over.

  --list   say of each block where it is compiled
USAGE
}

die() { echo "snippets.sh: $*" >&2; exit 1; }

list=''
pages=()
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --list) list=1 ;;
    -*) die "unknown argument '$1'; see scripts/snippets.sh --help." ;;
    *) pages+=("$(realpath -- "$1")") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
((${#pages[@]})) || mapfile -d '' -t pages < <(
    find README.md .github/CONTRIBUTING.md Sources/RabbitMQ/RabbitMQ.docc -name '*.md' -print0 | LC_ALL=C sort -z
)
modules=.build/debug/Modules
[[ -e $modules/RabbitMQ.swiftmodule ]] || die "the library is not built here: swift build --target RabbitMQ"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each block as a file, and an index of them: number, page, line, and where it stands compiled, if anywhere.
mapfile -d '' -t sources < <(
    find Sources Tests -name '.build*' -prune -o -name '*.swift' -type f -print0 | LC_ALL=C sort -z
)
LC_ALL=C awk -v work="$work" '
function stripped(line) { sub(/^[ \t]+/, "", line); sub(/[ \t]+$/, "", line); return line }
FNR == 1 { isSource = FILENAME ~ /\.swift$/; isBlock = isGiven = 0 }
isSource {
    if ((line = stripped($0)) != "") text[FILENAME] = text[FILENAME] "\n" line
    next
}
!isBlock && /^<!-- given$/ { isGiven = 1; if (!(FILENAME in given)) given[FILENAME] = 0; from = FNR + 1; lines = ""; next }
isGiven && /^-->$/ { isGiven = 0; kind[++count] = "given"; page[count] = FILENAME; first[count] = from; body[count] = lines; next }
isGiven { lines = lines $0 "\n"; next }
!isBlock && /^[ ]*```swift[ ]*$/ { isBlock = 1; from = FNR + 1; lines = joined = ""; next }
isBlock && /^[ ]*```[ ]*$/ {
    isBlock = 0
    kind[++count] = "block"; page[count] = FILENAME; first[count] = from; body[count] = lines; flat[count] = joined
    next
}
isBlock { lines = lines $0 "\n"; if ((line = stripped($0)) != "") joined = joined "\n" line }
END {
    for (i = 1; i <= count; i++) {
        where = ""
        if (kind[i] == "block") for (file in text) if (index(text[file] "\n", flat[i] "\n")) {
            # The same file each time, and a test rather than what is beside it.
            if (where == "" || file ~ /Tests\.swift$|Examples/ && where !~ /Tests\.swift$|Examples/ || file < where && (file ~ /Tests\.swift$|Examples/) == (where ~ /Tests\.swift$|Examples/)) where = file
        }
        if (kind[i] == "block" && where == "") {
            if (body[i] ~ /(^|\n)import PackageDescription/) kind[i] = "manifest"
            else if (body[i] ~ /(^|\n)(public |private |fileprivate )*(extension|protocol) |(^|\n)@main/) kind[i] = "file"
        }
        printf "%s", body[i] >(work "/" i ".body")
        close(work "/" i ".body")
        print i "\t" kind[i] "\t" page[i] "\t" first[i] "\t" where
    }
}' "${sources[@]}" "${pages[@]}" >"$work/index"

blocks=0 elsewhere=0
failed=''
prologue='func page(
    configuration: ConnectionConfiguration, connection: Connection, channel: Channel, exchange: Exchange, queue: Queue,
    message: IncomingMessage, name: String
) async throws {'
# All pages in one file, which is quicker than one for each; errors come with the line of the page all the same.
{
    last=''
    echo 'import FoundationEssentials'
    echo 'import Logging'
    echo 'import RabbitMQ'
    while IFS=$'\t' read -r number kind page first where; do
        [[ $kind == block || $kind == given ]] || continue
        [[ -z $where ]] || continue
        if [[ $page != "$last" ]]; then
            [[ -z $last ]] || echo '}'
            last=$page
            echo "${prologue/page(/page$number(}"
        fi
        # What both import is imported above.
        if [[ $kind == block ]]; then echo 'do {'; fi
        printf '#sourceLocation(file: "%s", line: %s)\n' "$page" "$first"
        sed -E 's/^import (RabbitMQ|Foundation|FoundationEssentials|Logging)$//' "$work/$number.body"
        echo '#sourceLocation()'
        if [[ $kind == block ]]; then echo '}'; fi
    done <"$work/index"
    [[ -z $last ]] || echo '}'
} >"$work/pages.swift"

check() { # files: type-checks them as a user's program would be, and keeps what is wrong
    swiftc -typecheck -swift-version 6 -suppress-warnings -I "$modules" -I Sources/CRabbitMQ \
        -module-name Snippets "$@" >>"$work/errors" 2>&1
}

check -parse-as-library "$work/pages.swift" || failed=1

while IFS=$'\t' read -r number kind page first where; do
    [[ $kind != given ]] || continue
    blocks=$((blocks + 1))
    if [[ -n $where ]]; then elsewhere=$((elsewhere + 1)); fi
    if [[ -n $list ]]; then echo "$page:$first: ${where:-$kind, type-checked}"; fi
    case $kind in
    file)
        {
            grep -q '^import RabbitMQ' "$work/$number.body" || echo 'import RabbitMQ'
            while IFS=$'\t' read -r other otherKind otherPage otherFirst _; do
                [[ $otherKind == given && $otherPage == "$page" ]] && ((other < number)) || continue
                printf '#sourceLocation(file: "%s", line: %s)\n' "$otherPage" "$otherFirst"
                cat "$work/$other.body"
                echo '#sourceLocation()'
            done <"$work/index"
            printf '#sourceLocation(file: "%s", line: %s)\n' "$page" "$first"
            cat "$work/$number.body"
        } >"$work/$number.swift"
        options=()
        if grep -q '^@main' "$work/$number.body"; then options=(-parse-as-library); fi
        check "${options[@]}" "$work/$number.swift" || failed=1
        ;;
    manifest)
        mkdir "$work/$number"
        cp "$work/$number.body" "$work/$number/Package.swift"
        swift package --package-path "$work/$number" dump-package >/dev/null 2>"$work/manifest" || {
            echo "$page:$first: SwiftPM does not take this manifest:" >>"$work/errors"
            cat "$work/manifest" >>"$work/errors"
            failed=1
        }
        ;;
    esac
done <"$work/index"

if [[ -n $failed ]]; then
    cat "$work/errors"
    die "a block of the pages does not compile."
fi
echo "snippets.sh: $blocks blocks of the pages compile, $elsewhere of them with the tests"

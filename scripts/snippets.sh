#!/usr/bin/env bash
# Every block of Swift in the pages, and in the comments of the library, compiles.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/snippets.sh [--list] [PAGE...]

Compiles every block of Swift in README.md, .github/CONTRIBUTING.md and the articles (Sources/*/*.docc), and in the
documentation comments of Sources; or in the pages that are given. A block that does not compile is an error, at its page
and line: exit 1.

A block that stands in a Swift file of Tests or Sources, line for line, is compiled with that, and most run there. Every
other one is type-checked against the library with all of its traits (scripts/modules.sh builds it), in a function that
has `configuration`, `connection`, `channel`, `exchange`, `queue`, `message` (which has come) and `name`, all of which a
block may define anew. What else a page takes for granted stands in it as a comment, which readers don't see:

    <!-- given
    struct Order: Codable, Sendable { var id: Int }
    func handle(_ order: Order) async throws {}
    -->

That counts for all blocks behind it, in this page; what comments take for granted stands at the end of this script. A
block with an extension, a protocol, a test or @main is a file of its own, with the types and functions before it.
Whatever a block imports has to be built already, so that a block beside another package stands in Tests. One that
imports PackageDescription is a manifest, and one that begins with .package( or .testTarget( a part of one: SwiftPM reads
these. Blocks in other languages are passed over.

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
script=$PWD/scripts/snippets.sh
comments=''
((${#pages[@]})) || comments=1
((${#pages[@]})) || mapfile -d '' -t pages < <(
    find README.md .github/CONTRIBUTING.md Sources/*/*.docc -name '*.md' -print0 | LC_ALL=C sort -z
)
mapfile -t modules < <(scripts/modules.sh)
((${#modules[@]})) || die "the library doesn't compile."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each block as a file, and an index of them: number, kind, page or '-' for comments, file, line, and in which file of Swift
# it stands, or '-'.
mapfile -d '' -t sources < <(
    find Sources Tests -name '.build*' -prune -o -name '*.swift' -type f -print0 | LC_ALL=C sort -z
)
LC_ALL=C awk -v work="$work" -v comments="$comments" '
function stripped(line) { sub(/^[ \t]+/, "", line); sub(/[ \t]+$/, "", line); return line }
function begin() { from = FNR + 1; lines = flat = "" }
function add(line) { lines = lines line "\n"; if ((line = stripped(line)) != "") flat = flat "\n" line }
function end(what, group) {
    kind[++count] = what; page[count] = group; origin[count] = FILENAME; first[count] = from
    body[count] = lines; joined[count] = flat
}
FNR == 1 { isSource = FILENAME ~ /\.swift$/; isBlock = isGiven = 0 }
isSource {
    if ((line = stripped($0)) != "") text[FILENAME] = text[FILENAME] "\n" line
    if (!comments || FILENAME !~ /^Sources\//) next
    if (/^ *\/\/\/ ```swift$/) { isBlock = 1; begin() }
    else if (isBlock && /^ *\/\/\/ ```$/) { isBlock = 0; end("block", "-") }
    else if (isBlock) { sub(/^ *\/\/\/ ?/, ""); add($0) }
    next
}
!isBlock && /^<!-- given$/ { isGiven = 1; begin(); next }
isGiven && /^-->$/ { isGiven = 0; end("given", FILENAME); next }
!isBlock && !isGiven && /^[ ]*```swift[ ]*$/ { isBlock = 1; begin(); next }
isBlock && /^[ ]*```[ ]*$/ { isBlock = 0; end("block", FILENAME); next }
isBlock || isGiven { add($0) }
END {
    for (i = 1; i <= count; i++) {
        where = "-"
        if (kind[i] == "block" && page[i] != "-") for (file in text) if (index(text[file] "\n", joined[i] "\n")) {
            if (where == "-" || file < where) where = file
        }
        if (kind[i] == "block" && where == "-") {
            if (body[i] ~ /(^|\n)import PackageDescription/) kind[i] = "manifest"
            else if (body[i] ~ /^ *\.package\(/) kind[i] = "dependency"
            else if (body[i] ~ /^ *\.(testT|executableT|t)arget\(/) kind[i] = "target"
            else if (body[i] ~ /(^|\n)(public |private |fileprivate )*(extension|protocol) |(^|\n) *@(main|Test|Suite)/) kind[i] = "file"
        }
        printf "%s", body[i] >(work "/" i ".body")
        close(work "/" i ".body")
        print i "\t" kind[i] "\t" page[i] "\t" origin[i] "\t" first[i] "\t" where
    }
}' "${sources[@]}" "${pages[@]}" >"$work/index"
sed '1,/^# --- What comments take for granted ---$/d; s/^# \{0,1\}//' "$script" >"$work/comments.given"

# Whether a block is types and functions only, which the tests behind it may use.
isDeclaration() { grep -vE '^ *(//|@|$)' "$1" | head -n 1 | grep -qE '^(public |final )*(struct|class|actor|enum|func) '; }

blocks=0 elsewhere=0
failed=''
prologue='func page(
    configuration: ConnectionConfiguration, connection: Connection, channel: Channel, exchange: Exchange, queue: Queue,
    message: IncomingMessage, name: String
) async throws {
    var configuration = configuration'
# All in one file, which is quicker than one for each; errors come with the page's line all the same.
{
    {
        printf '%s\n' 'import FoundationEssentials' 'import Logging' 'import RabbitMQ'
        while IFS=$'\t' read -r number kind page file first where; do
            if [[ $kind == block || $kind == given ]] && [[ $where == - ]]; then grep '^import ' "$work/$number.body" || true; fi
        done <"$work/index"
        if [[ -n $comments ]]; then grep '^import ' "$work/comments.given" || true; fi
    } | LC_ALL=C sort -u
    last=''
    while IFS=$'\t' read -r number kind page file first where; do
        [[ $kind == block || $kind == given ]] && [[ $where == - ]] || continue
        if [[ $page != "$last" ]]; then
            [[ -z $last ]] || echo '}'
            last=$page
            echo "${prologue/page(/page$number(}"
            if [[ $page == - ]]; then sed '/^import /d' "$work/comments.given"; fi
        fi
        if [[ $kind == block ]]; then echo 'do {'; fi
        printf '#sourceLocation(file: "%s", line: %s)\n' "$file" "$first"
        sed 's/^import .*//' "$work/$number.body" # they stand above
        echo '#sourceLocation()'
        if [[ $kind == block ]]; then echo '}'; fi
    done <"$work/index"
    [[ -z $last ]] || echo '}'
} >"$work/pages.swift"

plugins=$(dirname "$(readlink -f "$(command -v swiftc)")")/../lib/swift/host/plugins/testing # the macros of tests
check() { # files: type-checks them as a user's program would be, and keeps what is wrong
    swiftc -typecheck -swift-version 6 -suppress-warnings "${modules[@]}" \
        -plugin-path "$plugins" -module-name Snippets "$@" >>"$work/errors" 2>&1
}

check -parse-as-library "$work/pages.swift" || failed=1

while IFS=$'\t' read -r number kind page file first where; do
    [[ $kind != given ]] || continue
    blocks=$((blocks + 1))
    if [[ $where == - ]]; then where="$kind, type-checked"; else elsewhere=$((elsewhere + 1)); fi
    if [[ -n $list ]]; then echo "$file:$first: $where"; fi
    case $kind in
    file)
        {
            grep -q '^import RabbitMQ' "$work/$number.body" || echo 'import RabbitMQ'
            while IFS=$'\t' read -r other otherKind otherPage _ otherFirst _; do
                [[ $otherPage == "$page" ]] && ((other < number)) || continue
                [[ $otherKind == given ]] || isDeclaration "$work/$other.body" || continue
                printf '#sourceLocation(file: "%s", line: %s)\n' "$otherPage" "$otherFirst"
                cat "$work/$other.body"
                echo '#sourceLocation()'
            done <"$work/index"
            printf '#sourceLocation(file: "%s", line: %s)\n' "$file" "$first"
            cat "$work/$number.body"
        } >"$work/$number.swift"
        options=()
        if grep -q '^@main' "$work/$number.body"; then options=(-parse-as-library); fi
        check "${options[@]}" "$work/$number.swift" || failed=1
        ;;
    manifest | dependency | target)
        mkdir "$work/$number"
        if [[ $kind == manifest ]]; then
            cat "$work/$number.body"
        else
            printf '// swift-tools-version: 6.1\nimport PackageDescription\nlet package = Package(name: "x", '
            if [[ $kind == target ]]; then
                echo "dependencies: [.package(name: \"rabbitmq-swift\", path: \"$PWD\")], targets: ["
            else
                echo 'dependencies: ['
            fi
            cat "$work/$number.body"
            printf '])\n'
        fi >"$work/$number/Package.swift"
        swift package --package-path "$work/$number" dump-package >/dev/null 2>"$work/manifest" || {
            echo "$file:$first: SwiftPM does not take this manifest:" >>"$work/errors"
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
echo "snippets.sh: $blocks blocks compile, $elsewhere of them with the tests"
exit

# --- What comments take for granted ---
# import Configuration
# import RabbitMQTesting
# import ServiceLifecycle
# import Testing
# enum SwiftProtobuf {
#     protocol Message {
#         init(serializedBytes: [UInt8]) throws
#         func serializedBytes() throws -> [UInt8]
#     }
# }
# struct Order: Codable, Sendable, SwiftProtobuf.Message {
#     var (id, item, customer) = (0, "", "")
#     init(id: Int) { self.id = id }
#     init(serializedBytes: [UInt8]) throws {}
#     func serializedBytes() throws -> [UInt8] { [] }
# }
# struct OrderCreated: Codable, Sendable {}
# struct OrderCancelled: Codable, Sendable {}
# struct PriceRequest: Codable, Sendable { var item: String }
# struct Price: Codable, Sendable { var cents: Int }
# struct Row: Decodable {}
# struct TransientFailure: Error {}
# struct Prices: Sendable { func look(up item: String) async throws -> Int { 0 } }
# struct Warehouse: Sendable { func stock(of item: String) async throws -> Int? { 0 } }
# struct Database { func insert(_ rows: [Row]) async throws {} }
# struct IdentityProvider: Sendable { func token() async throws -> (text: String, expiresIn: Int) { ("", 0) } }
# struct Handler: Sendable { func handle(_ message: IncomingMessage) async throws {} }
# let (prices, warehouse, database, identityProvider) = (Prices(), Warehouse(), Database(), IdentityProvider())
# @Sendable func handle<T>(_ value: T) async throws {}
# @Sendable func ship(_ order: Order) async throws {}
# @Sendable func book(_ order: Order) async throws {}
# let handler = Handler()
# let logger = Logger(label: "orders")
# let (order, policy) = (Order(id: 1), RetryPolicy(attempts: 3))
# let (stream, parking, orders, documents) = (queue, queue, exchange, exchange)
# let error = AMQPError(.notFound, "")
# let broker = try InProcessBroker()
# func declareEverything() async throws {}
# func connectAndConsume() async throws {}
# let customer = ""
# let (body, randomBytes): ([UInt8], [UInt8]) = ([], [])

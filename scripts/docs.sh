#!/usr/bin/env bash
# The documentation as a site.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/docs.sh [--output FOLDER] [--base-path PATH] [--serve [PORT]]

Makes the site of the documentation: the library with what its traits bring (scripts/modules.sh builds it), and the test
kit beside it, with the DocC that comes with Swift. Any warning is an error, and so is a public symbol that no page's Topics
name: exit 1.

  --output FOLDER   where to; .build/docs by default, which is made anew
  --base-path PATH  under which path a web server has it, such as rabbitmq-swift; none by default
  --serve [PORT]    then serve it, on loopback: http://127.0.0.1:8000/documentation/rabbitmq
USAGE
}

die() { echo "docs.sh: $*" >&2; exit 1; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=.build/docs base='' serve=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --output) (($# > 1)) || die "--output needs a folder."; output=$2; shift ;;
    --base-path) (($# > 1)) || die "--base-path needs a path."; base=$2; shift ;;
    --serve) serve=8000; if [[ ${2:-} =~ ^[0-9]+$ ]]; then serve=$2; shift; fi ;;
    *) die "unknown argument '$1'; see scripts/docs.sh --help." ;;
    esac
    shift
done

mapfile -t modules < <(scripts/modules.sh)
((${#modules[@]})) || die "the library doesn't compile."
tools=$(dirname "$(readlink -f "$(command -v swiftc)")")
docc=$(command -v docc || true)
[[ -n $docc ]] || docc=$tools/docc
[[ -x $docc ]] || die "this Swift has no docc."
target=$(swiftc -print-target-info | sed -n 's/^ *"unversionedTriple": "\(.*\)",*$/\1/p' | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A module's pages, as an archive. Pages may link to the modules before: ``/RabbitMQ/Channel``.
archives=()
document() {
    local module=$1 archive=$work/$1.doccarchive options=() one uncurated
    swift symbolgraph-extract -module-name "$module" -target "$target" "${modules[@]}" -minimum-access-level public \
        -skip-synthesized-members -emit-extension-block-symbols -output-dir "$work/$module"
    options=(--fallback-display-name "$module" --fallback-bundle-identifier "rabbitmq-swift.$module"
        --additional-symbol-graph-dir "$work/$module" --enable-experimental-external-link-support
        --transform-for-static-hosting --output-path "$archive")
    if [[ -n $base ]]; then options+=(--hosting-base-path "$base"); fi
    for one in ${archives[@]+"${archives[@]}"}; do options+=(--dependency "$one"); done
    "$docc" convert "Sources/$module/$module.docc" "${options[@]}" 2>&1 | tee "$work/log"
    if grep -qE '^(warning|error):|: (warning|error): ' "$work/log"; then die "DocC warns of $module."; fi

    # What no page names, DocC puts into groups of its own below the module, and says so.
    uncurated=$(python3 - "$archive/data/documentation/${module,,}.json" <<'PYTHON'
import json, sys

page = json.load(open(sys.argv[1]))
for section in page.get("topicSections", []):
    if section.get("generated"):
        print(*(i.rsplit("/", 1)[-1] for i in section["identifiers"]), sep="\n")
PYTHON
    )
    [[ -z $uncurated ]] || die "no Topics name these ($module.md, or the article that they belong to):
$uncurated"
    archives+=("$archive")
}

mkdir "$work/RabbitMQ" "$work/RabbitMQTesting"
document RabbitMQ
document RabbitMQTesting
"$docc" merge "${archives[@]}" --synthesized-landing-page-name rabbitmq-swift --output-path "$work/site"

rm -rf "$output"
mkdir -p "$(dirname "$output")"
mv "$work/site" "$output"
echo "docs.sh: $(find "$output/data" -name '*.json' | wc -l) pages in $output, without a warning"
if [[ -n $serve ]]; then
    echo "http://127.0.0.1:$serve/documentation/rabbitmq"
    python3 -m http.server --bind 127.0.0.1 --directory "$output" "$serve"
fi

#!/usr/bin/env bash
# The library with all of the package's traits, for those who look at its modules.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/modules.sh

Builds the library's modules with all traits, and TestSupport, which the page for contributors uses, in the build folder
that scripts/test.sh --traits has: after that it takes a second, else some minutes. Prints on its output, a line each, what
swiftc needs to find them, and reports on standard error. scripts/docs.sh and scripts/snippets.sh call it.
USAGE
}

die() { echo "modules.sh: $*" >&2; exit 1; }

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) die "unknown argument '$1'; see scripts/modules.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
traits=Tool,ConfigurationSupport,DistributedTracingSupport,MetricsSupport,ServiceLifecycleSupport,TextEncodings
build=.build-traits
for target in Sources/RabbitMQ*/ Tests/TestSupport/; do
    target=$(basename "$target")
    # With test.sh's flags, without which all would be built anew.
    swift build --target "$target" --traits "$traits" --scratch-path "$build" -Xswiftc -warnings-as-errors >&2
done

printf '%s\n' -I "$PWD/$build/debug/Modules" -I "$PWD/Sources/CRabbitMQ"
# The modules of C in the packages that traits bring.
for map in "$build"/debug/*.build/module.modulemap "$build"/checkouts/*/Sources/*/include/module.modulemap; do
    if [[ -e $map ]]; then printf '%s\n' -Xcc "-fmodule-map-file=$PWD/$map"; fi
done

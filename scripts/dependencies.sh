#!/usr/bin/env bash
# Whoever depends on the library clones what the library needs, and nothing that only the tool or the tests need.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/dependencies.sh

Makes a package in a temporary folder that depends on a copy of this one, by URL and tag, and has SwiftPM resolve it.
Prints what that cloned; exit 1 if it is anything but swift-collections and swift-log. Nothing is compiled; it takes
about ten seconds.
USAGE
}

die() { echo "dependencies.sh: $*" >&2; exit 1; }

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) die "unknown argument '$1'; see scripts/dependencies.sh --help." ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A copy rather than a clone: what is not committed yet counts as well, and the tag is not left in this repository.
mkdir -p "$folder/rabbitmq-swift" "$folder/consumer/Sources/Consumer"
tar -c --exclude='.build*' Package.swift module.modulemap Sources Tests | tar -x -C "$folder/rabbitmq-swift"
(
    cd "$folder/rabbitmq-swift"
    git init --quiet --initial-branch=main
    git add --all
    git -c user.name=test -c user.email=test@localhost commit --quiet --message 'a copy'
    git tag 0.1.0
)

cat >"$folder/consumer/Package.swift" <<PACKAGE
// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "consumer",
    dependencies: [.package(url: "file://$folder/rabbitmq-swift", from: "0.1.0")],
    targets: [
        .executableTarget(name: "Consumer", dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")])
    ]
)
PACKAGE
echo 'import RabbitMQ' >"$folder/consumer/Sources/Consumer/main.swift"

cd "$folder/consumer"
# Without the cache, which would keep the copy.
if ! swift package --disable-dependency-cache show-dependencies >"$folder/tree" 2>"$folder/log"; then
    cat "$folder/log" "$folder/tree" >&2
    die "SwiftPM couldn't resolve a package that depends on this one."
fi
sed -n '/^\./,$p' "$folder/tree"
cloned=$(cd .build/checkouts && printf '%s\n' * | LC_ALL=C sort | xargs)
[[ $cloned == "rabbitmq-swift swift-collections swift-log" ]] ||
    die "whoever depends on the library is to clone swift-collections and swift-log only, not: $cloned"
echo "dependencies.sh: only swift-collections and swift-log are cloned"

#!/usr/bin/env bash
# A package of Debian or Ubuntu with the tool rmq.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/deb.sh [--output FOLDER] [--version VERSION] [--maintainer 'NAME <ADDRESS>'] [--tool RMQ]

Builds the tool for release, with Swift's own libraries in it, and packs it for the distribution that this runs on: the
program without its symbols, its manual page (scripts/man.sh), and completions for bash, zsh and fish. What it needs
(rabbitmq-c, OpenSSL, the C library) is found out by dpkg-shlibdeps: build on the oldest release that is to have it. The
build has a folder of its own, .build/deb, and takes some minutes the first time. The last line of the output is the
package's path.

  --output FOLDER            where to; the folder one is in by default
  --version VERSION          of the package; what the tool says by default
  --maintainer 'NAME <ADDRESS>'
                             who answers for it; DEBFULLNAME and DEBEMAIL by default, where they are set
  --tool RMQ                 pack this program, and build nothing

The package depends on the sources alone: its times are those of the last commit, or SOURCE_DATE_EPOCH.
USAGE
}

die() { echo "deb.sh: $*" >&2; exit 1; }

output=$PWD version='' tool=''
maintainer="${DEBFULLNAME:-rabbitmq-swift contributors} <${DEBEMAIL:-rmq@localhost}>"
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --output) (($# > 1)) || die "--output needs a folder."; output=$2; shift ;;
    --version) (($# > 1)) || die "--version needs a version."; version=$2; shift ;;
    --maintainer) (($# > 1)) || die "--maintainer needs a name and an address."; maintainer=$2; shift ;;
    --tool) (($# > 1)) || die "--tool needs a program."; tool=$2; shift ;;
    *) die "unknown argument '$1'; see scripts/deb.sh --help." ;;
    esac
    shift
done
[[ -z $version || $version =~ ^[0-9][A-Za-z0-9.+~-]*$ ]] ||
    die "--version is '$version'; it begins with a digit, and has letters, digits and . + ~ - only."
[[ $maintainer =~ ^[^\<\>$'\n']+\ \<[^\<\>[:space:]]+@[^\<\>[:space:]]+\>$ ]] ||
    die "--maintainer is '$maintainer'; it is written NAME <ADDRESS>."
for command in dpkg-deb dpkg-shlibdeps ldd strip gzip python3; do
    command -v "$command" >/dev/null || die "$command is missing: apt-get install dpkg-dev binutils gzip python3"
done
# Paths are meant as the caller's folder has them.
mkdir -p "$output" || die "the folder $output can't be made."
output=$(cd "$output" && pwd -P)
if [[ -n $tool ]]; then
    [[ -f $tool && -x $tool ]] || die "--tool is $tool, which is no program."
    tool=$(readlink -f "$tool")
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -z $tool ]]; then
    command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.1 or later from https://www.swift.org/install/linux"
    build=(swift build -c release --traits Tool --product rmq --static-swift-stdlib --scratch-path .build/deb)
    echo "==> building"
    "${build[@]}"
    tool=$("${build[@]}" --show-bin-path)/rmq
fi
said=$("$tool" --version) || die "$tool does not say its version; was it built with --traits Tool?"
version=${version:-$said}
[[ $version =~ ^[0-9][A-Za-z0-9.+~-]*$ ]] || die "the tool says '$version', which is no version of a package: give --version."
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH # dpkg-deb takes it for what is younger

echo "==> packing"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
package=$work/debian/rmq
install -D -m 755 "$tool" "$package/usr/bin/rmq"
strip --strip-all --remove-section=.comment "$package/usr/bin/rmq"

share=$package/usr/share
mkdir -p "$share/man/man1" "$share/doc/rmq" "$share/bash-completion/completions" "$share/zsh/vendor-completions" \
    "$share/fish/vendor_completions.d"
scripts/man.sh "$tool" "$(date --utc --date "@$SOURCE_DATE_EPOCH" +%F)" | gzip -9n >"$share/man/man1/rmq.1.gz"
"$tool" --generate-completion-script bash >"$share/bash-completion/completions/rmq"
"$tool" --generate-completion-script zsh >"$share/zsh/vendor-completions/_rmq"
"$tool" --generate-completion-script fish >"$share/fish/vendor_completions.d/rmq.fish"
gzip -9n <CHANGELOG.md >"$share/doc/rmq/changelog.gz"
{
    echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
    echo
    echo 'Files: *'
    sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
    echo 'License: Expat'
    # Behind the licence's name and the line of the copyright; an empty line is a dot there.
    sed -e '1,/^Copyright/d' -e 's/^$/./' -e 's/^/ /' LICENSE | sed '1{/^ \.$/d}'
} >"$share/doc/rmq/copyright"

# Of the libraries that the program names; those of Swift must be in it, as no package has them.
if ldd "$package/usr/bin/rmq" | grep -E 'libswift|libFoundation|lib_Foundation|libdispatch|libBlocksRuntime' >&2; then
    die "the program needs these libraries of Swift, which no package has: build it with --static-swift-stdlib."
fi
missing=$(ldd "$package/usr/bin/rmq" | grep 'not found' || true)
[[ -z $missing ]] || die "the program needs what is not here: $missing"
# It looks for the file that says which packages are made.
printf 'Source: rmq\n\nPackage: rmq\nArchitecture: any\n' >"$work/debian/control"
dependencies=$(cd "$work" && dpkg-shlibdeps -O -e debian/rmq/usr/bin/rmq | sed -n 's/^shlibs:Depends=//p') ||
    die "dpkg-shlibdeps does not know a library's package; was it built by hand?"
[[ -n $dependencies ]] || die "dpkg-shlibdeps names no package that the program needs."

mkdir "$package/DEBIAN"
cat >"$package/DEBIAN/control" <<CONTROL
Package: rmq
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$package" | cut -f 1)
Depends: $dependencies
Recommends: ca-certificates, curl
Section: net
Priority: optional
Description: command-line tool for RabbitMQ
 Publishes, consumes, looks into queues, sends dead letters back to where they came
 from, moves and copies messages between queues and brokers, compares topologies with
 a broker, finds out why a broker can't be used, and measures it. It speaks AMQP 0-9-1;
 only its lists of what there is, and its view of what is busy, ask the management API.
CONTROL
(cd "$package" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$package/DEBIAN/md5sums"

file=$output/rmq_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$package" "$file" >/dev/null
dpkg-deb --info "$file"
dpkg-deb --contents "$file"
echo "$file"

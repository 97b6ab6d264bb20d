#!/usr/bin/env bash
# The C libraries below, and what is known to be wrong with them. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/audit.sh

Prints which librabbitmq and which OpenSSL are installed, and the known advisories that concern what this library uses of
them, each with whether the installed version has the mistake and why it can or can't be reached. Exit 1 if one can be
reached with what is installed, 69 if pkg-config does not find both libraries. 'rmq doctor' names those of the list that
matter for the libraries that it has loaded.

A distribution mends mistakes without another upstream version: where there is a changelog of Debian's that names an
advisory, the mistake counts as mended. The list, in Sources/rmq/Doctor/Advisory.swift, is kept by hand, and has what TLS
clients, PEM files and AMQP decoders touch: of librabbitmq up to 0.18.0 (September 2026), of OpenSSL up to April 2026.
Later ones of OpenSSL (3.5.7 and 3.5.8, or 3.6.3, mended them) were not judged: see
https://openssl-library.org/news/vulnerabilities/ and https://github.com/alanxz/rabbitmq-c/security/advisories.

The broker's own are none of a client's; 'rmq doctor' names them too (Sources/rmq/Doctor/BrokerAdvisory.swift).
USAGE
}

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) echo "audit.sh: unknown argument '$1'; see scripts/audit.sh --help." >&2; exit 64 ;;
esac

list=$(dirname "${BASH_SOURCE[0]}")/../Sources/rmq/Doctor/Advisory.swift
[[ -r $list ]] || { echo "audit.sh: there is no $list, which has the advisories." >&2; exit 69; }

installed() { pkg-config --modversion "$1" 2>/dev/null || true; }
changelog() { # package
    zcat "/usr/share/doc/$1/changelog.Debian.gz" 2>/dev/null || true
}
rabbitmq=$(installed librabbitmq) openssl=$(installed openssl)
rabbitmq_log=$(changelog librabbitmq4) openssl_log=$(changelog libssl3; changelog libssl3t64)
echo "librabbitmq ${rabbitmq:-not found}, OpenSSL ${openssl:-not found}, $(getconf LONG_BIT) bits"
if [[ -z $rabbitmq || -z $openssl ]]; then
    echo "audit.sh: pkg-config finds no librabbitmq or no openssl, so nothing can be said: scripts/setup.sh installs both." >&2
    exit 69
fi
echo

# Whether version $1 is at least $2.
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# Whether an OpenSSL is mended: each of its branches has a version of its own, and later branches began with it.
openssl_mended() { # version, versions it was mended in
    local version=$1 branch mended latest=''
    shift
    branch=${version%.*}
    for mended in "$@"; do
        latest=$mended
        if [[ ${mended%.*} == "$branch" ]]; then
            at_least "$version" "$mended"
            return
        fi
    done
    at_least "$version" "$latest"
}

# Those of the tool's doctor, where long lines go on behind a backslash.
# Library | advisories | first version that has it, or - | mended in | what | can it be reached: no, 32 (bits) or yes | why
advisories() {
    awk '
        / static let list = """$/ { isList = 1; next }
        /^ *"""$/ { isList = 0 }
        !isList { next }
        { sub(/^ +/, ""); whole = whole $0 }
        sub(/\\$/, "", whole) { next }
        { print whole; whole = "" }' "$list"
}

[[ -n $(advisories) ]] || { echo "audit.sh: no advisories are found in $list." >&2; exit 69; }
reached=0
while IFS='|' read -r library names since mended what reach why; do
    if [[ $library == librabbitmq ]]; then version=$rabbitmq log=$rabbitmq_log; else version=$openssl log=$openssl_log; fi
    if [[ $since != - ]] && ! at_least "$version" "$since"; then
        printf '%s %s: %s\n    %s is older than the mistake\n' "$library" "$names" "$what" "$version"
        continue
    fi
    state="the installed $version has it"
    # shellcheck disable=SC2086 # several words
    if [[ $library == librabbitmq ]] && at_least "$version" "$mended" ||
        [[ $library == openssl ]] && openssl_mended "$version" $mended; then
        state="mended in $version"
    else
        for name in $names; do
            if [[ $name == CVE-* ]] && grep -qF "$name" <<<"$log"; then state="mended by the distribution"; fi
        done
    fi
    case $reach in
    no) verdict="can't be reached" ;;
    32) if (($(getconf LONG_BIT) > 32)); then verdict="can't be reached on 64 bits" reach=no; else verdict="can be reached"; fi ;;
    *) verdict="can be reached" ;;
    esac
    if [[ $state == the* && $reach != no ]]; then reached=$((reached + 1)) state="$state: UPDATE IT"; fi
    printf '%s %s: %s\n    %s; %s: %s\n' "$library" "$names" "$what" "$state" "$verdict" "$why"
done < <(advisories)
echo
if ((reached)); then echo "$reached of them can be reached with what is installed."; exit 1; fi
echo "None of them can be reached with what is installed. OpenSSL's advisories after April 2026 were not judged."

#!/usr/bin/env bash
# The C libraries below, and what is known to be wrong with them. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/audit.sh

Prints which librabbitmq and which OpenSSL are installed, and the known advisories that concern what this library uses of
them, each with whether the installed version has the mistake and why it can or can't be reached. Exit 1 if one can be
reached with what is installed, 69 if pkg-config does not find both libraries.

A distribution mends mistakes without another upstream version: where there is a changelog of Debian's that names an
advisory, the mistake counts as mended. The list is kept by hand, and has what TLS clients, PEM files and AMQP decoders
touch: of librabbitmq up to 0.18.0 (September 2026), of OpenSSL up to April 2026. Later ones of OpenSSL (3.5.7 and 3.5.8, or
3.6.3, mended them) were not judged: see https://openssl-library.org/news/vulnerabilities/ and
https://github.com/alanxz/rabbitmq-c/security/advisories.
USAGE
}

case ${1:-} in
'') ;;
--help | -h) usage; exit ;;
*) echo "audit.sh: unknown argument '$1'; see scripts/audit.sh --help." >&2; exit 64 ;;
esac

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

# Library | advisories | first version that has it, or - | mended in | what | can it be reached: no, 32 (bits) or yes | why
advisories() {
    cat <<'LIST'
librabbitmq|CVE-2019-18609|-|0.10.0|a frame of a claimed size overflows the heap in amqp_handle_input|no|frames are found and checked in Swift (FrameScanner); the function is never called
librabbitmq|CVE-2023-35789|-|0.14.0|the tools take a password on the command line|no|the tools are not used
librabbitmq|(no number, #764 and 0.14)|-|0.14.0|tables and arrays that nest deeply overflow the stack|no|NestingCheck refuses more than 32 levels before a table is decoded
librabbitmq|GHSA-9mmv-r8g3-qp46 CVE-2026-44235|-|0.16.0|undersized frames are read beyond their end in amqp_handle_input|no|the function is never called; payloads too short for a method or a header are refused before they are decoded
librabbitmq|GHSA-jh48-qjf5-fx5v CVE-2026-44236|-|0.16.0|a frame_max below 4096 is taken over|no|Handshake refuses it; amqp_tune_connection is never called
librabbitmq|GHSA-jgjf-7fwf-f3c7 CVE-2026-59986 CVE-2026-61547|-|0.17.0|a size wraps around in amqp_decode_bytes, on machines of 32 bits|32|methods are decoded with it: on 32 bits a broker can have memory read beyond a frame, so use 0.17 there
librabbitmq|GHSA-hfjv-vcp3-39wh CVE-2026-59986 CVE-2026-61547|-|0.17.0|amqp_send_frame writes a body that is too large beyond its buffer|no|bodies are cut and framed in Swift; the function is never called
librabbitmq|GHSA-5fp7-wg2f-hhgp|-|0.18.0|frames on many channels, or of unknown types, take memory without bound|no|a frame on a channel that is not open, or of an unknown type, ends the connection at once
openssl|CVE-2022-0778|-|3.0.2|a certificate with bad curve parameters has BN_mod_sqrt loop for ever|yes|a server shows its certificate before it is verified
openssl|CVE-2022-3602 CVE-2022-3786|-|3.0.7|a certificate's e-mail address in punycode overflows the stack|yes|behind a trusted authority only: it is checked after the signatures
openssl|CVE-2023-0286|-|3.0.8|addresses of the type X.400 are confused when revocation lists are compared|no|no revocation lists are loaded or checked
openssl|CVE-2022-4450 CVE-2023-0215|-|3.0.8|double free after PEM_read_bio_ex, use after free in BIO_new_NDEF|yes|PEM files are read; they are the application's own
openssl|CVE-2023-0464 CVE-2023-0465 CVE-2023-0466|-|3.0.9 3.1.1|checks of certificate policies take exponential time, or are skipped|no|policies are not checked
openssl|CVE-2023-2650|-|3.0.9 3.1.1|a long object identifier takes quadratic time to be printed|no|of a certificate names are printed, which hold none; TLS limits the certificates' size
openssl|CVE-2023-5363|-|3.0.12 3.1.4|lengths of keys and initial vectors are taken over too late|no|ciphers are TLS's, which does not set lengths so
openssl|CVE-2023-6237 CVE-2023-5678 CVE-2023-3446 CVE-2023-3817|-|3.0.13 3.1.5 3.2.1|checks of RSA and DH keys that are very large take long|no|TLS does not call them for a peer's keys
openssl|CVE-2024-0727|-|3.0.13 3.1.5 3.2.1|a PKCS #12 file crashes|no|PKCS #12 is not read
openssl|CVE-2024-2511|-|3.0.14 3.1.6 3.2.2|sessions of TLS 1.3 take memory without bound|no|in servers only
openssl|CVE-2024-4741|-|3.0.14 3.1.6 3.2.2 3.3.1|use after SSL_free_buffers|no|the function is not called
openssl|CVE-2024-5535|-|3.0.15 3.1.7 3.2.3 3.3.2|SSL_select_next_proto reads beyond an empty list|no|neither ALPN nor NPN is used
openssl|CVE-2024-6119|-|3.0.15 3.1.7 3.2.3 3.3.2|a certificate's other name is compared as if it were another type, and crashes|yes|names are verified by default; the certificate must come from a trusted authority
openssl|CVE-2024-13176|-|3.0.16 3.1.8 3.2.4 3.3.3 3.4.1|ECDSA signatures tell their nonce by the time they take|yes|with a client's certificate on the curve P-521, for one who measures many handshakes closely
openssl|CVE-2024-12797|3.2|3.2.4 3.3.3 3.4.1|raw public keys (RFC 7250) are not verified|no|they have to be enabled, and are not
openssl|CVE-2025-9230 CVE-2025-15467 CVE-2026-28389 CVE-2026-28390|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|mistakes in CMS|no|CMS is not used
openssl|CVE-2025-66199|3.3|3.3.6 3.4.4 3.5.5 3.6.1|a compressed certificate of TLS 1.3 takes up to 22 MB|yes|where OpenSSL is built with a compression; it passes, and ends with connectTimeout
openssl|CVE-2025-68160|-|3.0.19 3.3.6 3.4.4 3.5.5 3.6.1|BIO_f_linebuffer writes beyond its buffer|no|that BIO is not used
openssl|CVE-2026-22795 CVE-2026-22796 CVE-2025-69419 CVE-2025-69420 CVE-2025-69421|-|3.0.19 3.3.6 3.4.4 3.5.5 3.6.1|mistakes in PKCS #7, PKCS #12 and time stamps|no|none of them is read
openssl|CVE-2026-28387|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|use after free in clients with DANE|no|DANE is not used
openssl|CVE-2026-31789|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|hexadecimal conversion overflows the heap, on machines of 32 bits|no|certificates are not printed
LIST
}

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

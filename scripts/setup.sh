#!/usr/bin/env bash
# Installs what this package needs from Debian or Ubuntu, by name, and only what is missing.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/setup.sh [--pika]

Installs with apt what is missing of: librabbitmq-dev (brings libssl-dev), pkg-config, rabbitmq-server, openssl.
Nothing is done, and no right is needed, where all of it is there. Swift itself must be there already.

  --pika   also make .build/venv, a Python environment with pika, the other AMQP client that the tests compare
           with (python3-venv comes from apt, if Python or that part of it is missing; pika comes from PyPI)
USAGE
}

die() { echo "setup.sh: $*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.build/venv
pika_version=1.3.2
pika=

while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --pika) pika=1 ;;
    *) die "unknown argument '$1'; see scripts/setup.sh --help." ;;
    esac
    shift
done

# What counts is that a thing is there, not that apt put it there: a library built by hand is fine.
has_broker() { "$root/scripts/broker.sh" where >/dev/null 2>&1; }
python_with_venv() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}
has_pika() { "$venv/bin/python" -c 'import pika' >/dev/null 2>&1; }

list_missing() {
    missing=()
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    pkg-config --exists librabbitmq openssl 2>/dev/null || missing+=(librabbitmq-dev)
    has_broker || missing+=(rabbitmq-server)
    command -v openssl >/dev/null || missing+=(openssl)
    if [[ -n $pika ]] && ! has_pika && ! python_with_venv >/dev/null; then missing+=(python3-venv); fi
}

install_missing() {
    command -v apt-get >/dev/null ||
        die "this machine has no apt; install by other means what these packages of Debian hold: ${missing[*]}."
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "only root may install, and there is no sudo; as root, run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    # env, because sudo drops the caller's environment: no question may stop an unattended run.
    local get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    echo "setup.sh: installing ${missing[*]}"
    # The package lists may be absent (a container) or too old; updating them takes time, so only then.
    if ! "${get[@]}" install --no-install-recommends "${missing[@]}"; then
        echo "setup.sh: updating apt's package lists, then once more"
        "${get[@]}" update || die "apt-get update failed; what it says above tells why."
        "${get[@]}" install --no-install-recommends "${missing[@]}" ||
            die "apt couldn't install ${missing[*]}; what it says above tells why."
    fi
}

list_missing
if ((${#missing[@]})); then
    install_missing
    list_missing
    ((${#missing[@]} == 0)) || die "still missing after installing: ${missing[*]}."
fi

if [[ -n $pika ]] && ! has_pika; then
    python=$(python_with_venv) || die "Python 3 with venv is missing: apt-get install python3-venv"
    echo "setup.sh: making .build/venv with pika $pika_version"
    mkdir -p "$root/.build"
    "$python" -m venv --clear "$venv" || die "Python couldn't make the environment .build/venv; what it says above tells why."
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "pika==$pika_version" ||
        die "pip couldn't install pika $pika_version; what it says above tells why."
fi

command -v swift >/dev/null || die "Swift is not installed, or not in PATH: get 6.1 or later from https://www.swift.org/install/linux"
echo "setup.sh: everything needed is there"

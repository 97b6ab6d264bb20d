#!/usr/bin/env bash
# Builds the benchmark's null broker and peers into .build/bench/. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/bench/build.sh [--install] [--quick]

Builds the null broker and the peers that peers.txt lists into .build/bench/. A peer whose toolchain is missing is
skipped, with a sentence that says what it needs. Safe to repeat.

  --install  first installs what is missing: Debian packages with apt (as root or through sudo); pika and aio-pika from
             PyPI go into .build/bench/venv in any case
  --quick    builds the C peers only
USAGE
}

install=false quick=false
for argument in "$@"; do
    case $argument in
    --install) install=true ;;
    --quick) quick=true ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source=scripts/bench out=.build/bench gopath=/usr/share/gocode
mkdir -p "$out"

has() { command -v "$1" >/dev/null 2>&1; }
skip() { echo "bench: $1 skipped: $2" >&2; }

# Installs Debian packages if asked to and able to; what then is still missing is told where it is needed.
packages() {
    $install && has apt-get || return 0
    local sudo=()
    [[ $(id -u) == 0 ]] || sudo=(sudo -n)
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y --no-install-recommends "$@" >"$out/apt.log" 2>&1 ||
        echo "bench: apt-get install $* failed, see $out/apt.log" >&2
}

build_c() {
    has cc && has pkg-config && pkg-config --exists librabbitmq || packages gcc libc6-dev pkg-config librabbitmq-dev
    if ! has cc; then
        skip "the C peers" "no C compiler (Debian: gcc)"
        return
    fi
    local flags=(-std=gnu11 -O2 -Wall -Wextra -Wno-unused-function)
    cc "${flags[@]}" -pthread -o "$out/nullbroker" "$source/nullbroker.c"
    if ! has pkg-config || ! pkg-config --exists librabbitmq; then
        skip "rabbitmq-c and blast" "no librabbitmq or no pkg-config (Debian: librabbitmq-dev, pkg-config)"
        return
    fi
    local peer libraries
    read -ra libraries <<<"$(pkg-config --cflags --libs librabbitmq)"
    for peer in raw blast; do
        cc "${flags[@]}" -o "$out/$peer" "$source/$peer.c" "${libraries[@]}"
    done
}

# What any Swift program takes, and one that has a connection and nothing else.
build_process() {
    if ! has swift; then
        skip "empty and connected" "no Swift"
    elif ! swift build -c release --package-path "$source/process" --scratch-path .build/bench-process \
        >"$out/process.log" 2>&1; then
        skip "empty and connected" "their build failed, see $out/process.log"
        # Older builds would be measured in their place.
        rm -f .build/bench-process/release/{empty,connected}
    fi
}

# Debian's Go packages are sources under one GOPATH, so nothing is downloaded.
build_go() {
    local library=$gopath/src/github.com/rabbitmq/amqp091-go
    has go && [[ -d $library ]] || packages golang-go golang-github-rabbitmq-amqp091-go-dev
    if ! has go; then
        skip amqp091-go "no Go (Debian: golang-go)"
    elif [[ ! -d $library ]]; then
        skip amqp091-go "no $library (Debian: golang-github-rabbitmq-amqp091-go-dev)"
    else
        GO111MODULE=off GOPATH=$gopath go build -o "$out/go-peer" "./$source/go" || skip amqp091-go "its build failed"
    fi
}

build_python() {
    if ! has python3; then
        skip "pika and aio-pika" "no python3"
        return
    fi
    local python=$out/venv/bin/python
    "$python" -c 'import pika, aio_pika' 2>/dev/null && return
    python3 -m venv "$out/venv" >"$out/venv.log" 2>&1 || {
        packages python3-venv
        python3 -m venv --clear "$out/venv" >"$out/venv.log" 2>&1 || {
            skip "pika and aio-pika" "no virtual environment (Debian: python3-venv), see $out/venv.log"
            return
        }
    }
    "$python" -m pip install --quiet --disable-pip-version-check pika aio-pika >>"$out/venv.log" 2>&1 ||
        skip "pika and aio-pika" "pip could not install them, see $out/venv.log"
}

build_c
$quick || build_process
$quick || build_go
$quick || build_python

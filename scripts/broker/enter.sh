#!/usr/bin/env bash
# Runs a command in another Debian's folder (a chroot), with folders of this machine lent to it.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/broker/enter.sh CHROOT [FOLDER | FOLDER=PLACE]... -- COMMAND...

Each FOLDER of this machine is seen in the chroot under the same path, or under PLACE; /tmp always is.
Mounts are in a namespace of their own, which ends with the command: nothing is left to be unmounted.
The command takes this process's place, so that its process id is this one's. Needs root.
USAGE
}

case ${1:-} in '' | --help | -h) usage; exit ;; esac
((EUID == 0)) || { echo "enter.sh: only root may enter a chroot." >&2; exit 1; }

# shellcheck disable=SC2016
exec unshare --mount --propagation private bash -euc '
    chroot=$1
    shift
    mount -t proc proc "$chroot/proc"
    mount --rbind /dev "$chroot/dev"
    mount --bind /tmp "$chroot/tmp"
    while [[ $1 != -- ]]; do
        place=$chroot${1#*=}
        mkdir -p "$place"
        mount --rbind "${1%%=*}" "$place"
        shift
    done
    shift
    exec chroot "$chroot" "$@"' - "$@"

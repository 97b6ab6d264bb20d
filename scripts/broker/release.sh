# shellcheck shell=bash disable=SC2034,SC2154 # what broker.sh uses, and what it defines
# RabbitMQ 4 beside the installed one: later Debians have it, each set up once in a folder of its own (a chroot).
# Sourced by scripts/broker.sh and scripts/compat.sh, which define die and root.

# A mirror that answers and then says nothing is given up. In the foreground, so that an interrupt reaches the command.
patience=(timeout --foreground 15m)

# This machine can't have what was asked for; whoever calls may go on without.
readonly unavailable_status=69
unavailable() {
    echo "${0##*/}: RabbitMQ $release can't be had here: $*" >&2
    exit "$unavailable_status"
}

use_release() { # 4.0 or 4.3
    release=$1
    case $release in
    4.0) suite=trixie port_offset=400 ;;
    4.3) suite=forky port_offset=500 ;;
    *) die "there is no release '$release': 4.0 or 4.3; without --release it is the RabbitMQ that is installed." ;;
    esac
    local cache=${XDG_CACHE_HOME:-}
    # The XDG specification: a path that is not absolute is to be ignored.
    [[ $cache == /* ]] || cache=${HOME:?broker.sh: neither XDG_CACHE_HOME nor HOME says where chroots are kept}/.cache
    release_cache=$cache/rabbitmq-swift
    chroot=$release_cache/$release
    base_dir=$root/.build/broker-$release
    enter=("$root/scripts/broker/enter.sh" "$chroot" "$base_dir" --)
    sbin=/usr/lib/rabbitmq/bin
}

# A chroot gets its name when it is done: whatever else a broken setup left behind is not taken for one.
release_is_there() { [[ -x $chroot$sbin/rabbitmq-server ]]; }

ensure_release() {
    ((EUID == 0)) || unavailable "only root may set up and enter a chroot."
    unshare --mount true 2>/dev/null ||
        unavailable "root may not mount here (a container without the right to: CAP_SYS_ADMIN)."
    if ! release_is_there; then
        mkdir -p "$release_cache"
        # Two at once would undo each other's work.
        exec 8>"$release_cache/lock"
        flock 8
        # The one that held the lock may have done it.
        release_is_there || set_up_release
        exec 8>&-
    fi
    name_this_machine "$chroot"
}

# The first mirror of Debian among apt's own sources, or the usual one.
debian_mirror() {
    local mirrors
    # shellcheck disable=SC2016 # apt's own variable
    mirrors=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null || true)
    grep -m 1 '/debian/*$' <<<"$mirrors" || echo http://deb.debian.org/debian
}

set_up_release() {
    command -v apt-get >/dev/null || unavailable "this machine has no apt, of which debootstrap comes."
    local free version work=$chroot.new log=$chroot.log
    local tools=$release_cache/debootstrap keyring=usr/share/keyrings/debian-archive-keyring.gpg
    free=$(df -Pk "$release_cache" | awk 'NR == 2 { print int($4 / 1024) }')
    ((free > 1000)) || unavailable "$release_cache has $free MB free, but setting up takes up to 1000 MB."
    echo "setting up RabbitMQ $release of Debian $suite in $chroot, once: 250 MB, some minutes (log: $log)"
    rm -rf --one-file-system "$work"
    if ! (fetch_debootstrap && bootstrap "$work" && install_server "$work") 8>&- >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        unavailable "setting it up from $(debian_mirror) failed: see $log."
    fi
    version=$(sed -n '/^Package: rabbitmq-server$/,/^$/s/^Version: //p' "$work/var/lib/dpkg/status")
    [[ $version == "$release".* ]] || unavailable "Debian $suite has RabbitMQ $version now."
    rm -rf --one-file-system "$chroot"
    mv "$work" "$chroot"
}

# Debootstrap and Debian's keys are only unpacked, so that this machine's packages stay as they are.
fetch_debootstrap() {
    local packages=(debootstrap) package
    [[ -r /$keyring ]] || packages+=(debian-archive-keyring)
    [[ ! -x $tools/usr/sbin/debootstrap ]] || return 0
    rm -rf "$tools.new"
    mkdir -p "$tools.new" && cd "$tools.new" || return 1
    "${patience[@]}" apt-get -q download "${packages[@]}" ||
        { "${patience[@]}" apt-get -q update && "${patience[@]}" apt-get -q download "${packages[@]}"; } || return 1
    for package in ./*.deb; do
        dpkg -x "$package" . && rm "$package" || return 1
    done
    rm -rf "$tools"
    mv "$tools.new" "$tools"
}

bootstrap() { # the folder
    local keys=/$keyring scripts=$tools/usr/share/debootstrap/scripts
    [[ -r $keys ]] || keys=$tools/$keyring
    # A suite may be younger than this debootstrap; all of them are set up by sid's script.
    [[ -e $scripts/$suite ]] || ln -s sid "$scripts/$suite" || return 1
    # It mounts into the folder: in a namespace of its own nothing stays mounted if it is interrupted.
    DEBOOTSTRAP_DIR=$tools/usr/share/debootstrap "${patience[@]}" unshare --mount --propagation private \
        "$tools/usr/sbin/debootstrap" --variant=minbase --keyring="$keys" "$suite" "$1" "$(debian_mirror)"
}

install_server() { # the folder
    # How this machine's apt reaches its mirrors: proxies, and whether a mirror may be old.
    apt-config dump | grep -E '^Acquire::(https?::|ftp::|Check-)' >"$1/etc/apt/apt.conf.d/99this-machine" || true
    # No service starts.
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" && chmod 755 "$1/usr/sbin/policy-rc.d" &&
        name_this_machine "$1" && install_packages "$1" rabbitmq-server
}

# Erlang looks there: without this machine's name every 65th connection or so would wait 5 s for a name server.
name_this_machine() { # the folder
    local hosts=$1/etc/hosts name
    name=$(uname -n)
    {
        cat /etc/hosts
        grep -qwF "$name" /etc/hosts || echo "127.0.0.1 $name"
    } >"$hosts.$$" && mv "$hosts.$$" "$hosts"
}

install_packages() { # the folder, packages
    local folder=$1
    shift
    "${patience[@]}" "$root/scripts/broker/enter.sh" "$folder" -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive sh -euc '
            apt-get -q update
            apt-get -q -y install --no-install-recommends "$@"
            apt-get clean
            rm -rf /var/lib/apt/lists/*' - "$@"
}

#!/usr/bin/env bash
# A private RabbitMQ on loopback, run as whoever calls this, for demo.sh, test.sh and hands-on work.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/broker.sh [--release 4.0|4.3] [--cluster] COMMAND [--node NAME] ...

  start [--node NAME] [--plugin P]... [--config FILE]... [--fresh]
                        start the node and wait until it serves; nothing to do if it runs already.
                        --plugin enables one more plugin, --config appends rabbitmq.conf lines (at this start);
                        --fresh drops what the node stored before, unless it runs.
  stop [--node NAME]    stop the node, and the port mapper (epmd) with the last one; --all stops every node
                        (of that release)
  kill [--node NAME]    end the node at once, without a word, as a machine does whose power fails; it can be started again
  restart ...           stop, then start
  status [--node NAME]  say whether it runs: exit 0 if it does, 3 if not
  env [--node NAME]     print what `eval` needs: RABBITMQ_URI and RABBITMQ_TEST_* (see below)
  ctl [--node NAME] ... pass the rest on to rabbitmqctl, for that node
  where                 print the folder of rabbitmq-server, if RabbitMQ is installed

Without --release it is the RabbitMQ that is installed. --release, before or after the command, takes a later one:
4.0 is Debian 13's, 4.3 Debian 14's, each in a folder of its own (a chroot), which the first start sets up. That needs
root (and the right to mount), debootstrap from apt (only unpacked), a mirror of Debian (apt's own, or deb.debian.org),
250 MB each and a minute or two; it stays in ~/.cache/rabbitmq-swift (XDG_CACHE_HOME, if set, in place of ~/.cache).
The exit status is 69 where that can't be had. Nodes of several releases may run at once; each release has its own.

NAME is a letter from a to i (default a).

With --cluster, before or after the command, it is about nodes that form a cluster, and about no others: they have a
folder and ports of their own. Start, stop and kill without --node take a, b and c one after the other; with it, one of
them. A node that is started for the first time joins a, which must run then. After all were stopped or killed, start
those first that went last, which have the latest of what is stored; or all anew, with --fresh.
  broker.sh --cluster start
  broker.sh --cluster kill --node b
  broker.sh --cluster ctl --node a cluster_status
  broker.sh --cluster start --node b

Everything is under .build/broker (.build/broker-4.0, .build/broker-4.3; with -cluster behind it for those) and on
loopback. Ports count from RABBITMQ_SWIFT_PORT_BASE (default 5700):
  base          epmd
  base + 10*n   AMQP of the n-th node (a: 5710, b: 5720, ...); + 1 AMQP over TLS; + 2 distribution
Release 4.0 adds 400 to each of them (a: 6110), 4.3 adds 500 (a: 6210); --cluster adds 200 more.

env prints RABBITMQ_URI and RABBITMQ_TEST_HOST, _PORT, _TLS_PORT, _CA (file), _CERTS (folder), _NODE, _CTL (rabbitmqctl
for that node), _BROKER (this script for that release).
The folder of _CERTS holds, as NAME.pem and NAME.key:
  ca           signs all but untrusted-*
  server       localhost, 127.0.0.1, ::1: what the broker shows
  client       common name guest, for EXTERNAL; client-encrypted.key is the same key, passphrase 'rabbit'
  stranger     common name stranger: a good certificate of a user that the broker doesn't know
  expired      a server certificate for localhost that ended in 2020
  wrong-name   a server certificate for elsewhere.example
  untrusted-ca, untrusted-server, untrusted-client: like the good ones, from an authority nobody trusts

Other settings: RABBITMQ_SWIFT_SBIN (folder of rabbitmq-server and rabbitmqctl, if not found),
RABBITMQ_SWIFT_DEADLINE (seconds that start may take, default 120).
USAGE
}

die() { echo "broker.sh: $*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Of the installed RabbitMQ; use_release, in broker/release.sh, sets them for a later one.
release='' base_dir=$root/.build/broker port_offset=0 enter=()
asked_base=${RABBITMQ_SWIFT_PORT_BASE:-}
deadline=${RABBITMQ_SWIFT_DEADLINE:-120}
sbin=${RABBITMQ_SWIFT_SBIN:-}

if ! [[ ${asked_base:-5700} =~ ^[1-9][0-9]{3,4}$ ]] || ((${asked_base:-5700} < 1024 || ${asked_base:-5700} > 65400)); then
    die "RABBITMQ_SWIFT_PORT_BASE must be a number from 1024 to 65400, not '$asked_base'."
fi
[[ $deadline =~ ^[1-9][0-9]{0,4}$ ]] || die "RABBITMQ_SWIFT_DEADLINE must be a whole number of seconds, not '$deadline'."

# While nodes run, their ports count from the number with which they were started, whatever this caller says.
choose_ports() {
    port_base=$((${asked_base:-5700} + port_offset))
    ((port_base <= 65400)) || die "RABBITMQ_SWIFT_PORT_BASE must be at most $((65400 - port_offset)) with --release $release."
    if [[ -s $base_dir/port-base ]] && any_node_runs; then port_base=$(<"$base_dir/port-base"); fi
    use_node "$letter"
}

# Names and ports of a node: all follow from its letter.
use_node() {
    [[ $1 =~ ^[a-i]$ ]] || die "a node's name is one letter from a to i, not '$1'."
    letter=$1
    node=rabbitmq-swift-$letter@localhost
    node_dir=$base_dir/$letter
    pid_file=$node_dir/pid
    local index
    index=$(($(printf '%d' "'$letter") - 96))
    amqp_port=$((port_base + 10 * index))
    tls_port=$((amqp_port + 1))
    dist_port=$((amqp_port + 2))
}

# Debian's commands in /usr/sbin switch user and use another cookie: only the scripts behind them will do.
find_server() {
    if [[ -n $release ]]; then
        release_is_there || die "release $release is not set up: $self start does it."
        return
    fi
    local candidate
    for candidate in "$sbin" /usr/lib/rabbitmq/bin /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin \
        /usr/local/lib/rabbitmq_server-*/sbin /opt/rabbitmq*/sbin /opt/rabbitmq_server-*/sbin /usr/lib64/rabbitmq/bin; do
        if [[ -n $candidate && -x $candidate/rabbitmq-server && -x $candidate/rabbitmqctl ]]; then
            sbin=$candidate
            return
        fi
    done
    die "RabbitMQ is not installed: run scripts/setup.sh, or name the folder of rabbitmq-server in RABBITMQ_SWIFT_SBIN."
}

# What the Erlang programs see. The caller's own RABBITMQ_* and ERL_* settings belong to another broker.
server_environment() {
    local name
    for name in $(compgen -v RABBITMQ_) $(compgen -v ERL_) NOTIFY_SOCKET; do
        unset "$name"
    done
    export HOME=$base_dir/home LANG=C.UTF-8 LC_ALL=C.UTF-8
    export ERL_EPMD_PORT=$port_base ERL_EPMD_ADDRESS=127.0.0.1
    # For every Erlang program: the node, rabbitmqctl, and the helper with which the node looks for epmd.
    export ERL_AFLAGS='-kernel inet_dist_use_interface {127,0,0,1}'
    export ERL_CRASH_DUMP_SECONDS=0 # the log says enough
    export RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0 # any free one: many may run at once
    export RABBITMQ_NODENAME=$node RABBITMQ_USE_LONGNAME=false
    export RABBITMQ_DIST_PORT=$dist_port
    export RABBITMQ_CONF_ENV_FILE=$node_dir/rabbitmq-env.conf # never the system's
    export RABBITMQ_CONFIG_FILE=$node_dir/rabbitmq.conf
    export RABBITMQ_ADVANCED_CONFIG_FILE=$node_dir/advanced.config
    export RABBITMQ_ENABLED_PLUGINS_FILE=$node_dir/enabled_plugins
    export RABBITMQ_MNESIA_BASE=$node_dir/data RABBITMQ_MNESIA_DIR=$node_dir/data/mnesia
    export RABBITMQ_GENERATED_CONFIG_DIR=$node_dir/data/config RABBITMQ_SCHEMA_DIR=$node_dir/data/schema
    export RABBITMQ_PLUGINS_EXPAND_DIR=$node_dir/data/plugins
    export RABBITMQ_LOG_BASE=$node_dir/log RABBITMQ_LOGS=$node_dir/log/rabbit.log
    export RABBITMQ_PID_FILE=$pid_file
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none'
}

# A process id counts only while that process carries our own mark in its environment: numbers are used again.
runs() { # pid file, mark
    local pid
    [[ -s $1 ]] || return 1
    pid=$(<"$1")
    [[ $pid =~ ^[0-9]+$ ]] && grep -qzxF "$2" "/proc/$pid/environ" 2>/dev/null
}
node_runs() { runs "$pid_file" "RABBITMQ_PID_FILE=$pid_file"; }
epmd_runs() { runs "$epmd_pid_file" "RABBITMQ_SWIFT_EPMD=$base_dir"; }
any_node_runs() {
    local file
    for file in "$base_dir"/[a-i]/pid; do
        if runs "$file" "RABBITMQ_PID_FILE=$file"; then return 0; fi
    done
    return 1
}

open_port() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

has_ipv6() { grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; }

check_free() { # port, purpose
    local address holder=
    for address in 127.0.0.1 ::1; do
        open_port "$address" "$1" || continue
        if command -v ss >/dev/null; then
            holder=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1, process \2/p' | head -n 1)
        fi
        die "port $1 ($2 of node $letter) is taken$holder: stop that, or set RABBITMQ_SWIFT_PORT_BASE to another number than $((port_base - port_offset))."
    done
}

# The server has said its first frame (connection.start, a method frame, so a byte of 1) to our protocol header.
answers() {
    local first=
    {
        exec 3<>"/dev/tcp/127.0.0.1/$amqp_port" || return 1
        printf 'AMQP\0\0\11\1' >&3
        LC_ALL=C IFS= read -r -d '' -N 1 -t 5 first <&3 || true
        exec 3>&-
    } 2>/dev/null
    [[ $first == $'\1' ]]
}

make_folders() {
    umask 077
    if ! mkdir -p "$base_dir/home" "$node_dir/log" "$node_dir/data" 2>/dev/null || [[ ! -O $base_dir ]]; then
        die "$base_dir can't be written by user $(id -un): another user's broker made it; use a checkout of your own."
    fi
    local cookie=$base_dir/home/.erlang.cookie
    [[ -s $cookie ]] || openssl rand -hex 20 >"$cookie"
    chmod 400 "$cookie"
    cat >"$node_dir/ctl" <<CTL
#!/usr/bin/env bash
# rabbitmqctl for this node; written by scripts/broker.sh
exec env -u RABBITMQ_SWIFT_PORT_BASE $(printf '%q' "$root/scripts/broker.sh") ${release:+--release $release} ${cluster:+--cluster} ctl --node $letter "\$@"
CTL
    cat >"$base_dir/broker" <<BROKER
#!/usr/bin/env bash
# scripts/broker.sh for the release of this folder; written by it
exec $(printf '%q' "$root/scripts/broker.sh") ${release:+--release $release} ${cluster:+--cluster} "\$@"
BROKER
    chmod 700 "$node_dir/ctl" "$base_dir/broker"
}

# --- certificates

issue() { # name, issuer, subject, extensions, from, to (YYYYMMDDHHMMSSZ); a key of the kind in $key_kind
    openssl req -new -newkey "${key_kind[@]}" -nodes -keyout "$1.key" -out "$1.csr" -subj "$3" -batch -config openssl.cnf
    printf '%s\n' "$4" >"$1.ext"
    if [[ $1 == "$2" ]]; then
        openssl ca -batch -selfsign -config openssl.cnf -in "$1.csr" -keyfile "$1.key" -out "$1.pem" \
            -startdate "$5" -enddate "$6" -extfile "$1.ext" -notext
    else
        openssl ca -batch -config openssl.cnf -in "$1.csr" -cert "$2.pem" -keyfile "$2.key" -out "$1.pem" \
            -startdate "$5" -enddate "$6" -extfile "$1.ext" -notext
    fi
}

make_certificates() {
    local work=$tls_dir.new
    rm -rf "$work"
    mkdir -p "$work/issued"
    # `openssl ca` rather than `x509 -req`: only it can make a certificate that has ended (before OpenSSL 3.4).
    cat >"$work/openssl.cnf" <<'CNF'
[req]
distinguished_name = name
[name]
[ca]
default_ca = authority
[authority]
new_certs_dir = issued
database = index
unique_subject = no
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
CNF
    : >"$work/index"
    (
        cd "$work"
        from=$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)
        to=$(date -u -d '+700 days' +%Y%m%d%H%M%SZ)
        authority=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
        server=$'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\nsubjectAltName='
        client=$'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nauthorityKeyIdentifier=keyid'
        here='DNS:localhost,IP:127.0.0.1,IP:::1'
        key_kind=(ec -pkeyopt ec_paramgen_curve:P-256)
        issue ca ca '/CN=rabbitmq-swift test authority' "$authority" "$from" "$to"
        issue untrusted-ca untrusted-ca '/CN=an authority nobody trusts' "$authority" "$from" "$to"
        issue server ca '/CN=localhost' "$server$here" "$from" "$to"
        issue untrusted-server untrusted-ca '/CN=localhost' "$server$here" "$from" "$to"
        issue wrong-name ca '/CN=elsewhere.example' "${server}DNS:elsewhere.example" "$from" "$to"
        issue expired ca '/CN=localhost' "$server$here" 20190101000000Z 20200101000000Z
        issue untrusted-client untrusted-ca '/CN=guest' "$client" "$from" "$to"
        issue stranger ca '/CN=stranger' "$client" "$from" "$to"
        key_kind=(rsa:2048) # so that both kinds of key are met
        issue client ca '/CN=guest' "$client" "$from" "$to"
        openssl pkcs8 -topk8 -v2 aes-256-cbc -in client.key -out client-encrypted.key -passout pass:rabbit
        rm -rf issued index* ./*.csr ./*.ext openssl.cnf
    ) >"$base_dir/openssl.log" 2>&1 || die "openssl couldn't make the certificates: see $base_dir/openssl.log."
    rm -rf "$tls_dir"
    mv "$work" "$tls_dir"
}

ensure_certificates() {
    local name
    for name in ca server client stranger wrong-name untrusted-ca untrusted-server untrusted-client; do
        # A week's notice, so that none ends during a run.
        if ! openssl x509 -checkend 604800 -noout -in "$tls_dir/$name.pem" >/dev/null 2>&1; then
            make_certificates
            return
        fi
    done
}

# --- configuration

write_configuration() {
    local file plugins=(rabbitmq_auth_mechanism_ssl "${extra_plugins[@]}")
    printf '[%s].\n' "$(IFS=,; echo "${plugins[*]}")" >"$node_dir/enabled_plugins"
    {
        echo "listeners.tcp.1 = 127.0.0.1:$amqp_port"
        echo "listeners.ssl.1 = 127.0.0.1:$tls_port"
        if has_ipv6; then
            echo "listeners.tcp.2 = ::1:$amqp_port"
            echo "listeners.ssl.2 = ::1:$tls_port"
        fi
        cat <<CONF
ssl_options.cacertfile = $tls_dir/ca.pem
ssl_options.certfile = $tls_dir/server.pem
ssl_options.keyfile = $tls_dir/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_cert_login_from = common_name
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
# A test machine's disk may be nearly full: publishers must not be blocked for that.
disk_free_limit.absolute = 50MB
collect_statistics = none
log.file.level = info
log.console = false
log.file.rotation.size = 10485760
log.file.rotation.count = 2
CONF
        for file in "${extra_config[@]}"; do
            cat "$file"
        done
    } >"$node_dir/rabbitmq.conf"
    echo '[].' >"$node_dir/advanced.config"
}

# --- processes

start_epmd() {
    epmd_runs && return
    check_free "$port_base" epmd
    local epmd=("${enter[@]}" /usr/bin/epmd)
    if [[ -z $release ]]; then
        epmd=("$(command -v epmd || compgen -G '/usr/lib/erlang/erts-*/bin/epmd' | tail -n 1)") ||
            die "epmd, a part of Erlang, is not installed: run scripts/setup.sh."
    fi
    # In the foreground of its own session, so that its process id is known and no terminal's end reaches it.
    (
        server_environment
        export RABBITMQ_SWIFT_EPMD=$base_dir
        # shellcheck disable=SC2016
        exec setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' - "$epmd_pid_file" "${epmd[@]}"
    ) </dev/null >"$base_dir/epmd.log" 2>&1 9>&- &
    local try
    for ((try = 0; try < 100; try++)); do
        epmd_runs && open_port 127.0.0.1 "$port_base" && return
        sleep 0.1
    done
    die "epmd didn't start on port $port_base: $(tail -n 1 "$base_dir/epmd.log")"
}

stop_process() { # pid file, seconds until it is killed
    local pid try
    pid=$(<"$1")
    if (($2 > 0)); then kill -TERM "$pid" 2>/dev/null || true; fi
    for ((try = 0; try < $2 * 10; try++)); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$1"
            return
        fi
        sleep 0.1
    done
    # With all that it has started: in a chroot the node is a child of it.
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    for ((try = 0; try < 50; try++)); do
        kill -0 -- "-$pid" 2>/dev/null || break
        sleep 0.1
    done
    rm -f "$1"
}

fail_start() {
    echo "--- the end of $node_dir/log" >&2
    tail -n 15 "$node_dir/log/startup.log" "$node_dir/log/rabbit.log" >&2 2>/dev/null || true
    if node_runs; then stop_process "$pid_file" 5; fi
    stop_idle_epmd
    die "$1"
}

start() {
    if [[ -n $release ]]; then ensure_release; fi
    find_server
    command -v openssl >/dev/null || die "openssl is not installed: run scripts/setup.sh."
    local file
    for file in "${extra_config[@]}"; do
        [[ -r $file ]] || die "there is no configuration file '$file'."
    done
    make_folders
    # One start or stop at a time; what we start must not inherit the lock (9>&-).
    exec 9>"$base_dir/lock"
    flock -w "$deadline" 9 || die "another start or stop is under way in $base_dir."
    choose_ports
    if [[ -n $asked_base && $asked_base != $((port_base - port_offset)) ]]; then
        die "nodes of this checkout run with ports from $((port_base - port_offset)), not $asked_base: $self stop --all comes first."
    fi
    if node_runs; then
        start_epmd
        answers || ctl await_startup --timeout "$deadline" >/dev/null 2>&1 || true
        answers || die "node $letter runs but doesn't serve on port $amqp_port: see $node_dir/log/rabbit.log, or $self restart."
        echo "node $letter runs already: amqp://127.0.0.1:$amqp_port, amqps://127.0.0.1:$tls_port"
        return
    fi
    check_free "$amqp_port" AMQP
    check_free "$tls_port" "AMQP over TLS"
    check_free "$dist_port" distribution
    ensure_certificates
    write_configuration
    echo "$port_base" >"$base_dir/port-base"
    start_epmd

    rm -f "$pid_file"
    if [[ -n $fresh ]]; then rm -rf "${node_dir:?}/data" "$node_dir/joined"; mkdir -p "$node_dir/data"; fi
    (
        server_environment
        # Enough for thousands of connections; but Erlang gives memory to each number that it may use.
        local limit
        limit=$(ulimit -Hn)
        [[ $limit != unlimited ]] && ((limit < 65536)) || limit=65536
        ulimit -n "$limit"
        # `detached` makes Debian's and upstream's script become the node rather than wait for it.
        export detached=true
        cd "$node_dir"
        # shellcheck disable=SC2016
        exec setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' - "$pid_file" "${enter[@]}" "$sbin/rabbitmq-server"
    ) </dev/null >"$node_dir/log/startup.log" 2>&1 9>&- &
    wait_until_serving $!
    if [[ -n $cluster ]]; then join; fi
    echo "node $letter serves: amqp://127.0.0.1:$amqp_port, amqps://127.0.0.1:$tls_port (process $(cat "$pid_file"))"
}

wait_until_serving() { # the process that is, or becomes, the node
    local end=$((SECONDS + deadline))
    until answers; do
        kill -0 "$1" 2>/dev/null || node_runs || fail_start "node $letter ended while it started."
        ((SECONDS < end)) || fail_start "node $letter didn't serve within $deadline seconds."
        sleep 0.1
    done
    # A port that answers may be a stage of the boot; this returns when all of it is done.
    ctl await_startup --timeout "$((end - SECONDS > 5 ? end - SECONDS : 5))" >"$node_dir/log/await.log" 2>&1 ||
        fail_start "node $letter answers, but didn't finish its start: $(tail -n 1 "$node_dir/log/await.log")"
}

# Once for each node of the cluster but the first, which the others join.
join() {
    local founder=rabbitmq-swift-a@localhost step
    if [[ $letter == a || -e $node_dir/joined ]]; then return 0; fi
    for step in stop_app reset "join_cluster $founder" start_app; do
        # shellcheck disable=SC2086 # a word, or two
        ctl $step >"$node_dir/log/join.log" 2>&1 ||
            fail_start "node $letter could not join the cluster ($step): $(tail -n 1 "$node_dir/log/join.log")"
    done
    touch "$node_dir/joined"
}

ctl() {
    (
        server_environment
        exec "${enter[@]}" "$sbin/rabbitmqctl" "$@"
    ) 9>&-
}

stop_idle_epmd() {
    if any_node_runs; then return; fi
    if epmd_runs; then stop_process "$epmd_pid_file" 5; fi
}

stop() { # seconds until it is killed, 60 if not given
    if [[ -d $base_dir ]]; then
        [[ -O $base_dir ]] || die "$base_dir belongs to another user, who must stop that broker."
        exec 9>"$base_dir/lock"
        flock -w "$deadline" 9 || die "another start or stop is under way in $base_dir."
    fi
    if node_runs; then
        stop_process "$pid_file" "${1:-60}"
        echo "node $letter stopped"
    else
        echo "node $letter does not run"
    fi
    stop_idle_epmd
    exec 9>&-
}

status() {
    if node_runs; then
        answers || die "node $letter runs (process $(cat "$pid_file")) but doesn't answer on port $amqp_port."
        echo "node $letter ($node) runs: process $(cat "$pid_file"), AMQP $amqp_port, TLS $tls_port, distribution $dist_port, epmd $port_base, log $node_dir/log/rabbit.log"
    else
        [[ ! -d $base_dir || -O $base_dir ]] || die "$base_dir belongs to another user, who alone can tell."
        echo "node $letter does not run"
        exit 3
    fi
}

print_environment() {
    printf 'export %s=%q\n' \
        RABBITMQ_URI "amqp://guest:guest@127.0.0.1:$amqp_port" \
        RABBITMQ_TEST_HOST 127.0.0.1 \
        RABBITMQ_TEST_PORT "$amqp_port" \
        RABBITMQ_TEST_TLS_PORT "$tls_port" \
        RABBITMQ_TEST_CA "$tls_dir/ca.pem" \
        RABBITMQ_TEST_CERTS "$tls_dir" \
        RABBITMQ_TEST_NODE "$node" \
        RABBITMQ_TEST_CTL "$node_dir/ctl" \
        RABBITMQ_TEST_BROKER "$base_dir/broker"
}

# --- the command line

(($#)) || { usage >&2; exit 2; }
command='' letter='' every='' fresh='' cluster=''
extra_plugins=() extra_config=()
while (($#)); do
    # The rest of `ctl` is rabbitmqctl's; so is its own `--node other@host`.
    if [[ $command == ctl && $1 != --release && $1 != --cluster && ($1 != --node || ${2:-} == *@*) ]]; then break; fi
    case $1 in
    --help | -h) usage; exit ;;
    --release)
        (($# > 1)) || die "--release needs 4.0 or 4.3."
        # shellcheck source=scripts/broker/release.sh
        source "$root/scripts/broker/release.sh"
        use_release "$2"
        shift
        ;;
    --node) (($# > 1)) || die "--node needs a letter."; letter=$2; shift ;;
    --plugin) (($# > 1)) || die "--plugin needs a name."; extra_plugins+=("$2"); shift ;;
    --config) (($# > 1)) || die "--config needs a file."; extra_config+=("$2"); shift ;;
    --cluster) cluster=1 ;;
    --all) every=1 ;;
    --fresh) fresh=1 ;;
    *)
        [[ -z $command && $1 != -* ]] || die "unknown argument '$1'; see scripts/broker.sh --help."
        command=$1
        ;;
    esac
    shift
done
self="scripts/broker.sh${release:+ --release $release}${cluster:+ --cluster}"
nodes=("${letter:-a}")
if [[ -n $cluster ]]; then
    base_dir+=-cluster
    port_offset=$((port_offset + 200))
    if [[ -n $release ]]; then enter[2]=$base_dir; fi
    if [[ -z $letter ]]; then nodes=(a b c); fi
fi
letter=${nodes[0]}
tls_dir=$base_dir/tls
epmd_pid_file=$base_dir/epmd.pid
choose_ports

each() { # command, and in which order: the first to start is the last to stop
    local list=("${nodes[@]}") node
    if [[ $1 != start ]]; then mapfile -t list < <(printf '%s\n' "${nodes[@]}" | sort -r); fi
    for node in "${list[@]}"; do
        use_node "$node"
        "$@"
    done
}

case $command in
start)
    # Nodes that run remember those that would know nothing any more.
    if [[ -n $fresh && -n $cluster ]] && { ((${#nodes[@]} == 1)) || any_node_runs; }; then
        die "--fresh is for the whole cluster, and for one that doesn't run: $self stop comes first."
    fi
    each start
    ;;
stop)
    if [[ -n $every ]]; then
        for letter in a b c d e f g h i; do
            use_node "$letter"
            if node_runs; then stop; fi
        done
        stop_idle_epmd
    else
        each stop
    fi
    ;;
kill) each stop 0 ;;
restart) each stop; each start ;;
status) status ;;
env) print_environment ;;
ctl)
    (($#)) || die "ctl needs the arguments of rabbitmqctl, for example: broker.sh ctl list_queues"
    find_server
    node_runs || [[ $1 == help || $1 == --* || $1 == -* ]] || die "node $letter does not run: $self start --node $letter"
    ctl "$@"
    ;;
where) find_server && echo "${release:+$chroot}$sbin" ;;
help) usage ;;
'')  die "which command? See scripts/broker.sh --help." ;;
*) die "unknown command '$command'; see scripts/broker.sh --help." ;;
esac

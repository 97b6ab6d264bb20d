#!/usr/bin/env bash
# Publishes and consumes while connections and the broker are killed. See --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/chaos.sh [--messages N] [--faults N] [--seed S] [--kinds LIST|all] [--peers LIST] [--rate N] [--limit S]
                        [--tls] [--json]
       scripts/chaos.sh --topology N [--peers java] [--tls] [--json]
       scripts/chaos.sh --outage SECONDS [--connections N] [--tls] [--json]

Runs an application without a line of reconnect code (Tests/ChaosProbe: four publishers with confirms and
`recovery.unconfirmed = .resend` on one connection, two consumers with acknowledgements on another, persistent messages,
a durable queue) against the private broker, and makes it lose its connections. All on loopback. A broker that was not
running before is stopped at the end; the exit status is 0 only if nothing was lost, nothing hung, and nothing came twice
unannounced.

  --messages N   how many are published, by each client (default 24000); the faults are spread over them
  --faults N     how often something happens to each client (default 20), at least 1.2 s apart
  --seed S       the order of the faults (default 1)
  --kinds LIST   of these, with commas between them; as many of each (default: reset,close,cut); all is all six:
    reset          the kernel ends the connections (what `ss -K` asks for; where it may not, cut or close takes its place)
    close          rabbitmqctl close_all_connections
    cut            a proxy before the broker resets them
    freeze         the proxy passes nothing for a second, then resets them
    restart        rabbitmqctl stop_app, then start_app
    kill           kill -9 of the broker, then scripts/broker.sh start
                 With cut or freeze all connections lead through the proxy.
  --peers LIST   aio-pika (connect_robust) and java (RabbitMQ's client, of Debian's librabbitmq-client-java) in the same
                 run: each has the faults in turn, on a virtual host of its own. They try again every 10 ms, and
                 repeat a publish that fails 5 ms later. What is missing is installed: into a virtual environment, or
                 with apt as root.
  --rate N       messages a second of each client (default: what the faults need to happen)
  --limit S      no faults after so many seconds (default 840)
  --tls          over TLS
  --json         the last line is one object with all figures; the rest goes to standard error

Printed for each client:
  lost           confirmed, and not delivered within a minute after the last one
  duplicates     deliveries of a message that had been delivered before
  announced      those of them that the application was told of: they are marked as redelivered, or the connection was
                 lost (`connection.events`: lost) between the publish and the confirm of that message, so that its outcome
                 was unknown and it was published again. `resent` is what the recovery reports say, so duplicates are no
                 more than that and the redelivered ones together
  hangs          awaits that took over a second longer than their deadline: a publish 30 s, a confirm 60 s; and one more if
                 the application did not come to its end
  errors         awaits that threw, and consumers that ended
  publisher_recovery_s, consumer_recovery_s
                 from a fault to the first confirm of a message that was published after it; to the first delivery
                 of a message that was published after it, or is marked as redelivered: median, p95, max in seconds. A
                 fault's moment is when the kernel or the proxy was told; for close the broker's log has it,
                 of the last connection of those that it closes one after the other; for restart
                 and kill it is when the broker's port answers again, for nobody can be back before
  on the way back
                 medians, in milliseconds, of how long a publisher's connection took from a fault until
                 `connection.events` said so, for the delay of the first try, to be made again with all that belongs to
                 it, and to a confirm; of those faults after which the first try was the one
  memory         how much more memory and descriptors the process had at the end than after a tenth of the run

--topology N     N queues, bindings and consumers: the time from the loss until they are recovered (five times), and that of
                 one pass of the same calls on a fresh connection and channel, each sent before the one before is answered;
                 with --peers java that client's recovery in the same run. Exit 0 if it is at most 1.5 times the pass.
--outage S       kills the broker for S seconds under --connections (default 500): tries a second and connection in the first
                 10 s and afterwards, the share of a core that they take. Exit 0 with at most 1.2, and fewer than 0.1.

Every single message, fault and recovery is in .build/chaos/.
USAGE
}

die() { echo "chaos.sh: $*" >&2; exit 1; }

arguments=() peers='' kinds=''
while (($#)); do
    option=$1 value=
    case $option in
    --help | -h) usage; exit ;;
    --tls | --json) arguments+=("$option"); shift; continue ;;
    --*=*) value=${option#*=} option=${option%%=*}; shift ;;
    --*) (($# > 1)) || die "$option needs a value, or is unknown; see scripts/chaos.sh --help."; value=$2; shift 2 ;;
    *) die "unknown argument '$option'; see scripts/chaos.sh --help." ;;
    esac
    case $option in
    --messages | --faults | --seed | --rate | --limit | --topology | --outage | --connections)
        [[ $value =~ ^(0|[1-9][0-9]{0,8})$ ]] || die "$option needs a whole number, not '$value'."
        ;;
    --kinds)
        if [[ $value == all ]]; then value=reset,close,cut,freeze,restart,kill; fi
        for kind in ${value//,/ }; do
            [[ $kind =~ ^(reset|close|cut|freeze|restart|kill)$ ]] || die "there is no kind '$kind'; see scripts/chaos.sh --help."
            kinds=$kind
        done
        [[ -n $kinds ]] || die "--kinds needs one at least."
        ;;
    --peers)
        for peer in ${value//,/ }; do
            [[ $peer =~ ^(aio-pika|java)$ ]] || die "there is no peer '$peer': aio-pika, java."
        done
        peers=$value
        ;;
    *) die "unknown argument '$option'; see scripts/chaos.sh --help." ;;
    esac
    arguments+=("$option" "$value")
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=.build/chaos
mkdir -p "$out"
command -v python3 >/dev/null || die "python3 is missing (Debian: python3)."
{
    scripts/setup.sh
    swift build -c release --product ChaosProbe
} >"$out/build.log" 2>&1 || die "the build failed: see $out/build.log."

if [[ $peers == *aio-pika* ]] && ! .build/bench/venv/bin/python -c 'import aio_pika' 2>/dev/null; then
    { python3 -m venv .build/bench/venv && .build/bench/venv/bin/pip install --quiet --disable-pip-version-check aio-pika; } \
        >"$out/venv.log" 2>&1 || die "aio-pika can't be had: see $out/venv.log (Debian: python3-venv)."
fi
if [[ $peers == *java* ]]; then
    jars=/usr/share/java
    if ! command -v javac >/dev/null || ! [[ -f $jars/amqp-client.jar ]]; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends default-jdk-headless \
            librabbitmq-client-java >"$out/apt.log" 2>&1 || die "the Java client can't be had: see $out/apt.log."
    fi
    javac -cp "$jars/amqp-client.jar" -d "$out" scripts/chaos/JavaPeer.java
    export CHAOS_CLASSPATH=$out:$jars/amqp-client.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar
fi

if ! scripts/broker.sh status >/dev/null 2>&1; then
    trap 'scripts/broker.sh stop >&2' EXIT
    scripts/broker.sh start >&2
fi
variables=$(scripts/broker.sh env)
eval "$variables"
python3 scripts/chaos/run.py "${arguments[@]}"

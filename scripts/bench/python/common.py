"""What the Python peers share: the options of the calling convention, the clocks, and the JSON line. See ../README.md."""

import argparse
import json
import math
import resource
import ssl
import sys
import time

UNSUPPORTED = 3
MODES = ["publish", "publish-confirm", "consume", "consume-ack", "ping-pong", "connect"]


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--uri", default="amqp://guest:guest@localhost:5672")
    parser.add_argument("--ca")
    parser.add_argument("--queue", default="bench")
    parser.add_argument("--exchange", default="")
    parser.add_argument("--routing-key")
    parser.add_argument("--messages", type=int, default=100_000)
    for name, default in [("size", 100), ("channels", 1), ("connections", 1), ("consumers", 1), ("window", 1000),
                          ("prefetch", 1000), ("warmup", 0)]:
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--persistent", action="store_true")
    options = parser.parse_args()
    options.routing_key = options.routing_key or options.queue
    options.tls = options.uri.startswith("amqps:")
    if options.connections > 1:
        print("one connection only", file=sys.stderr)
        sys.exit(UNSUPPORTED)
    return options


def tls_context(options):
    return ssl.create_default_context(cafile=options.ca)


def read_clocks():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime


def report(client, options, start, latencies=None):
    end = read_clocks()
    seconds, cpu, n = end[0] - start[0], end[1] - start[1], options.messages
    result = {
        "client": client, "mode": options.mode, "messages": n, "size": options.size,
        "seconds": round(seconds, 6), "rate": round(n / seconds, 1),
        "cpu_seconds": round(cpu, 6), "cpu_us_per_message": round(1e6 * cpu / n, 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    if latencies:
        latencies.sort()
        result["latency_us"] = {
            name: round(1e6 * latencies[math.floor(p * (n - 1))], 1)
            for name, p in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
        }
    print(json.dumps(result, separators=(",", ":")) if options.json else result, flush=True)

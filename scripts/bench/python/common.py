"""What the Python peers share: the options of the calling convention, the clocks, and the JSON line. See ../README.md."""

import argparse
import json
import math
import resource
import ssl
import sys
import time

UNSUPPORTED = 3
MODES = ["publish", "publish-confirm", "codable", "delay", "consume", "consume-ack", "handle", "ping-pong", "confirm",
         "get", "declare", "rpc", "connect", "idle"]
ORDER = {"id": 0, "item": "Assam, second flush", "price": 17.25, "isPaid": True}
REPLY_TO = "amq.rabbitmq.reply-to"
STAMP = b"bench at"


def refuse(why):
    print(why, file=sys.stderr)
    sys.exit(UNSUPPORTED)


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--uri", default="amqp://guest:guest@localhost:5672")
    parser.add_argument("--ca")
    parser.add_argument("--queue", default="bench")
    parser.add_argument("--exchange", default="")
    parser.add_argument("--routing-key")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float)
    for name, default in [("size", 100), ("channels", 1), ("connections", 1), ("consumers", 1), ("window", 1000),
                          ("prefetch", 1000), ("warmup", 0), ("work", 0), ("tasks", 1), ("headers", 0), ("rate", 0)]:
        parser.add_argument("--" + name, type=int, default=default)
    for name in ("json", "persistent", "read-headers", "one-at-a-time"):
        parser.add_argument("--" + name, action="store_true")
    options = parser.parse_args()
    options.routing_key = options.routing_key or options.queue
    options.tls = options.uri.startswith("amqps:")
    if options.mode not in MODES:
        refuse(f"no mode {options.mode} here")
    if options.connections > 1:
        refuse("one connection only")
    if options.mode == "delay" and options.size < 16:
        refuse("a body of 16 bytes at least")
    # What is run; `mode` is what was asked for.
    options.way = options.mode
    if options.one_at_a_time and options.mode.startswith("publish"):
        options.way = "confirm"
        if options.mode == "publish":
            refuse("nothing to wait for")
    options.work_steps = steps_of(options.work)
    return options


def tls_context(options):
    return ssl.create_default_context(cafile=options.ca)


def read_clocks():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime


def status(name):
    """A number of those that the system tells of this process."""
    with open("/proc/self/status") as file:
        return next((int(line.split()[1]) for line in file if line.startswith(name + ":")), 0)


def is_over(options, start, done):
    """Whether the time for the measured part is over. With little to do between two looks, every 64th is enough."""
    if not options.seconds or done % 64 and options.work <= 100 and options.size <= 65536 and not options.rate:
        return False
    return time.perf_counter() - start[0] >= options.seconds


def wait_for_turn(options, start, number):
    """How long until message `number` is due."""
    return max(0, start[0] + number / options.rate - time.perf_counter()) if options.rate else 0


# What a program computes between two messages: always the same number of steps, so that what others do to the
# processor meanwhile does not count as its own work.

def compute(steps):
    value = 1
    for _ in range(steps):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


def cost_of(steps, times=1):
    start = time.thread_time()
    for _ in range(times):
        compute(steps)
    return time.thread_time() - start


def steps_of(microseconds):
    if microseconds <= 0:
        return 0
    cost_of(200_000)
    return max(1, int(200_000 * microseconds / (1e6 * cost_of(200_000))))


def work_seconds(options):
    if not options.work_steps:
        return 0
    times = 1_000_000 // options.work_steps + 1
    return cost_of(options.work_steps, times) / times


def headers(options, number):
    """Of about --headers bytes, built anew for each message: texts of 32 bytes, and a number, another in each."""
    if not options.headers:
        return None
    table = {f"x-head{i + 10}": "h" * 32 for i in range(options.headers // 46 - 1)}
    table["x-number"] = 1_000_000_000_000 + number
    return table


def check_headers(table):
    if not table or "x-number" not in table:
        raise SystemExit("a message came without headers")


def order(number):
    return json.dumps({**ORDER, "id": number}, separators=(",", ":")).encode()


def content_type(o):
    return "application/json" if o.mode == "codable" else "application/octet-stream"


def stamp(options):
    """A body that says when it was published."""
    return (STAMP + time.monotonic_ns().to_bytes(8, "big")).ljust(options.size, b"x")


def report(client, options, start, count, latencies=None, delays=None, end=None):
    """Of `count` messages; `latencies` in seconds, one for each, or `delays` in microseconds, by their names."""
    end = end or read_clocks()
    if count < 1:
        raise SystemExit(f"not one message in {options.seconds} s")
    seconds, cpu = end[0] - start[0], end[1] - start[1] - count * work_seconds(options)
    result = {
        "client": client, "mode": options.mode, "messages": count, "size": options.size,
        "seconds": round(seconds, 6), "rate": round(count / seconds, 1),
        "cpu_seconds": round(cpu, 6), "cpu_us_per_message": round(1e6 * cpu / count, 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "rss_mb": round(status("VmRSS") / 1024, 2), "base_rss_mb": BASE[0], "threads": status("Threads"),
        "base_threads": BASE[1],
    }
    if latencies:
        latencies.sort()
        delays = {
            name: round(1e6 * latencies[math.floor(p * (count - 1))], 1)
            for name, p in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
        }
    if delays:
        result["latency_us"] = delays
    print(json.dumps(result, separators=(",", ":")) if options.json else result, flush=True)


# Of the process, before it connects.
BASE = round(status("VmRSS") / 1024, 2), status("Threads")

#!/usr/bin/env python3
"""Runs every peer through every scenario, interleaved (A B C, A B C, ...), and appends what they measured to a file.

Started by scripts/bench.sh, from the package's folder. The real broker is the one that RABBITMQ_URI,
RABBITMQ_TEST_TLS_PORT and RABBITMQ_TEST_CA name; what is not set is left out.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = ".build/bench"
UNSUPPORTED = 3

MIB = 1024 * 1024
# Scenario, mode, further options. A peer is given as many messages as it takes for a run of about the same time.
NULL = [
    ("publish", "publish", {}),
    ("publish-confirm", "publish-confirm", {}),
    ("consume", "consume", {}),
    ("consume-ack", "consume-ack", {}),
    *((f"publish, {work} us of work", "publish", {"work": work}) for work in (2, 10, 50, 1000)),
    *((f"consume-ack, {work} us of work", "consume-ack", {"work": work}) for work in (2, 10, 50, 1000)),
    ("confirm, one at a time", "confirm", {}),
    ("confirm, 100 tasks", "confirm", {"tasks": 100}),
    ("get, one at a time", "get", {}),
    ("publish, 100 channels", "publish", {"channels": 100}),
    ("consume, 500 consumers", "consume", {"consumers": 500}),
    ("publish, 1 MiB", "publish", {"size": MIB}),
    ("publish, 16 MiB", "publish", {"size": 16 * MIB}),
    ("connect", "connect", {}),
    ("codable", "codable", {}),
]
# To a key without a queue, publishing shows what the connection costs and routing doesn't hide it.
REAL = [
    ("publish, unroutable", "publish", {"routing-key": "bench.unroutable"}),
    ("publish-confirm", "publish-confirm", {}),
    ("consume", "consume", {}),
    ("consume-ack", "consume-ack", {}),
    ("ping-pong", "ping-pong", {}),
    ("confirm, one at a time", "confirm", {}),
    ("get, one at a time", "get", {}),
    ("connect", "connect", {}),
]


def read_peers(paths):
    peers = {}
    for path in paths:
        with open(path) as file:
            for line in file:
                words = line.split("#")[0].split()
                if len(words) < 2:
                    continue
                if not os.access(words[1], os.X_OK):
                    print(f"bench: {words[0]} skipped: {words[1]} is not there (not built?)", file=sys.stderr)
                    continue
                peers[words[0]] = words[1:]
    return peers


def first_line(*command):
    """Of what a command prints, or None where it can't be run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 else None
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def describe_machine(with_broker):
    def python_package(name):
        code = f"import importlib.metadata as m; print(m.version('{name}'))"
        return first_line(f"{OUT}/venv/bin/python", "-c", code)

    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    go = "golang-github-rabbitmq-amqp091-go-dev"
    machine = {
        "date": datetime.date.today().isoformat(),
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
        "processor": model and model.group(1),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "Swift": first_line("swift", "--version"),
        "rabbitmq-c": first_line("pkg-config", "--modversion", "librabbitmq"),
        "RabbitMQ": first_line("scripts/broker.sh", "ctl", "--silent", "version") if with_broker else None,
        "Go": first_line("go", "version"),
        "amqp091-go": first_line("dpkg-query", "-W", "-f", "${Version}", go),
        "pika": python_package("pika"),
        "aio-pika": python_package("aio-pika"),
    }
    return {name: value for name, value in machine.items() if value}


def targets():
    """Name -> URI, further options, scenarios, of the real broker."""
    found = {}
    uri, tls_port = os.environ.get("RABBITMQ_URI"), os.environ.get("RABBITMQ_TEST_TLS_PORT")
    ca = os.environ.get("RABBITMQ_TEST_CA")
    if uri:
        found["tcp"] = (uri, {}, REAL)
    if uri and tls_port and ca:
        login = urllib.parse.urlsplit(uri).netloc.rpartition("@")[0] or "guest:guest"
        found["tls"] = (f"amqps://{login}@localhost:{tls_port}", {"ca": ca}, REAL)
    return found


class Runner:
    def __init__(self, options):
        self.options = options
        self.results = open(options.results, "w")
        self.queues = 0

    def write(self, record):
        self.results.write(json.dumps(record) + "\n")
        self.results.flush()

    def run(self, command, mode, uri, arguments, messages):
        """The peer's JSON object, None if it doesn't have this mode, or a sentence that says what went wrong."""
        self.queues += 1
        small = mode == "connect" or arguments.get("size", 0) >= MIB
        all_arguments = {"uri": uri, "messages": messages, "size": 100, "warmup": 2 if small else 1000,
                         "window": 1000, "prefetch": 1000, "queue": f"bench.{os.getpid()}.{self.queues}", **arguments}
        words = [word for name, value in all_arguments.items() for word in ("--" + name, str(value))]
        # A process that this one started itself would inherit its peak memory: Linux keeps it across fork and exec.
        bound = ["timeout", "--kill-after=5", str(self.options.timeout)]
        done = subprocess.run(bound + command + [mode, *words, "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode in (124, 137):
            if "RABBITMQ_URI" in os.environ:  # a killed peer may leave a queue that nobody has consumed from
                first_line("scripts/broker.sh", "ctl", "delete_queue", all_arguments["queue"])
            return f"not done after {self.options.timeout} s"
        if done.returncode == UNSUPPORTED:
            return None
        try:
            result = json.loads(done.stdout.strip().splitlines()[-1])
            assert done.returncode == 0 and result["messages"] == messages and result["mode"] == mode
            return result
        except (IndexError, ValueError, KeyError, AssertionError):
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            return f"exit status {done.returncode}, said: {said}"

    def choose_count(self, command, mode, target, uri, arguments):
        """How many messages make a run of the time wanted, found by running: also warms everything up."""
        large = arguments.get("size", 0) >= MIB
        queued = target != "null" and mode in ("publish-confirm", "consume", "consume-ack", "confirm", "get")
        least = 20 if mode == "connect" or large else 200
        most = 500 if mode == "connect" else 2000 if large else 200_000 if queued else 10_000_000
        count = least if mode in ("connect", "ping-pong", "confirm", "get") or large else 2000
        for _ in range(3):
            result = self.run(command, mode, uri, arguments, count)
            if not isinstance(result, dict):
                return result
            enough = result["seconds"] > self.options.seconds / 4
            count = int(min(most, max(least, result["rate"] * self.options.seconds)))
            if enough:
                break
        return count

    def scenario(self, peers, target, uri, extra, scenario, mode, arguments):
        arguments = {**arguments, **extra}
        counts = {}
        for name, command in peers.items():
            count = self.choose_count(command, mode, target, uri, arguments)
            if isinstance(count, int):
                counts[name] = count
            elif count is not None:
                print(f"bench: {name} left out of {target}, {scenario}: {count}", file=sys.stderr)
        print(f"{target:5} {scenario:24}", end="", flush=True)
        for round_number in range(self.options.rounds):
            for name, count in counts.items():
                result = self.run(peers[name], mode, uri, arguments, count)
                if isinstance(result, dict):
                    self.write({**result, "client": name, "target": target, "scenario": scenario,
                                "round": round_number})
                    print(".", end="", flush=True)
                else:
                    print("x", end="", flush=True)
                    print(f"\nbench: {name} failed in {target}, {scenario}: {result}", file=sys.stderr)
        print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 short rounds rather than 5")
    parser.add_argument("--peers", action="append", default=[os.path.join(HERE, "peers.txt")],
                        help="one more list of peers")
    parser.add_argument("--only", default="", help="regular expression that 'target scenario' has to match")
    parser.add_argument("--results", default=f"{OUT}/results.jsonl")
    options = parser.parse_args()
    options.rounds = 3 if options.quick else 5
    options.seconds = 0.3 if options.quick else 1.0  # of the measured part of a run
    options.timeout = 30 if options.quick else 60

    peers = read_peers(options.peers)
    if not peers:
        sys.exit("bench: no peer is there: run scripts/bench/build.sh")
    real = targets()
    runner = Runner(options)
    runner.write({"machine": describe_machine(bool(real))})
    null_broker = subprocess.Popen([f"{OUT}/nullbroker"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = null_broker.stdout.readline().split()[-1]
        everything = {"null": (f"amqp://guest:guest@127.0.0.1:{port}", {}, NULL), **real}
        for target, (uri, extra, scenarios) in everything.items():
            for scenario, mode, arguments in scenarios:
                if re.search(options.only, f"{target} {scenario}"):
                    runner.scenario(peers, target, uri, extra, scenario, mode, arguments)
    finally:
        null_broker.terminate()
        null_broker.wait()


if __name__ == "__main__":
    main()

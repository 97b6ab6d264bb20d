#!/usr/bin/env python3
"""Runs every peer through every scenario, interleaved (A B C, A B C, ...), and appends what they measured to a file.

Started by scripts/bench.sh, from the package's folder. The real broker is the one that RABBITMQ_URI,
RABBITMQ_TEST_TLS_PORT and RABBITMQ_TEST_CA name; what is not set is left out.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import platform
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
import urllib.parse

from scenarios import HEADERS, MIB, NULL, NULL_HEADERS, REAL, TCP_ONLY

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = ".build/bench"
UNSUPPORTED = 3
# A thousand connections and what else a process has open; by default it may have 1,024.
OPEN_FILES = 16384


@dataclasses.dataclass
class Failed:
    """A run that gave no figure."""
    why: str
    hung: bool = False


def command_of(name, words, must_exist=False):
    """The command, or None if it is not there."""
    if words and shutil.which(words[0]):
        return words
    if must_exist:
        sys.exit(f"bench: the peer {name}: {words[0] if words else 'its command'} is not there, or can't be run")
    print(f"bench: {name} skipped: {words[0]} is not there (not built?)", file=sys.stderr)
    return None


def read_peers(paths, further=()):
    """Name -> command, of the lists, and of what --peer says: NAME=COMMAND."""
    peers = {}
    for path in paths:
        with open(path) as file:
            for line in file:
                words = shlex.split(line, comments=True)
                if len(words) >= 2 and command_of(words[0], words[1:]):
                    peers[words[0]] = words[1:]
    for one in further:
        name, equals, command = one.partition("=")
        if not (name and equals):
            sys.exit(f"bench: --peer {one}: not NAME=COMMAND")
        peers[name] = command_of(name, shlex.split(command), must_exist=True)
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
        found["tcp"] = (uri, {}, [*REAL, *TCP_ONLY])
    if uri and tls_port and ca:
        login = urllib.parse.urlsplit(uri).netloc.rpartition("@")[0] or "guest:guest"
        found["tls"] = (f"amqps://{login}@localhost:{tls_port}", {"ca": ca}, REAL)
    return found


def words_of(options):
    """The words of a command line; a flag is an option whose value is True."""
    words = []
    for name, value in options.items():
        words += ["--" + name] if value is True else ["--" + name, str(value)]
    return words


@contextlib.contextmanager
def busy_cores(wanted):
    """Meanwhile every core has other work."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() * wanted)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@contextlib.contextmanager
def null_broker(*arguments):
    """Runs one, and gives its URI."""
    broker = subprocess.Popen([f"{OUT}/nullbroker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True)
    try:
        yield f"amqp://guest:guest@127.0.0.1:{broker.stdout.readline().split()[-1]}"
    finally:
        broker.terminate()
        broker.wait()


class Runner:
    def __init__(self, options):
        self.options = options
        self.results = open(options.results, "w")
        self.queues = 0

    def write(self, record):
        self.results.write(json.dumps(record) + "\n")
        self.results.flush()

    def run(self, command, mode, uri, arguments, messages):
        """The peer's JSON object, None if it can't do this, or `Failed`. Nothing is tried again."""
        self.queues += 1
        small = mode == "connect" or arguments.get("size", 0) >= MIB
        # The time ends what another peer's load, or a count that was found on a quieter machine, makes long.
        options = {"uri": uri, "messages": messages, "seconds": 4 * self.options.seconds, "size": 100,
                   "warmup": 2 if small else 1000, "window": 1000, "prefetch": 1000,
                   "queue": f"bench.{os.getpid()}.{self.queues}", **arguments}
        # A process that this one started itself would inherit its peak memory: Linux keeps it across fork and exec.
        bound = ["timeout", "--kill-after=5", str(self.options.timeout)]
        began = time.monotonic()
        done = subprocess.run(bound + command + [mode, *words_of(options), "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # 124 and 137 say as well that the peer ended so by itself.
        if done.returncode in (124, 137) and time.monotonic() - began >= self.options.timeout:
            if "RABBITMQ_URI" in os.environ:  # a killed peer may leave a queue that nobody has consumed from
                first_line("scripts/broker.sh", "ctl", "delete_queue", options["queue"])
            return Failed(f"not done after {self.options.timeout} s", hung=True)
        if done.returncode == UNSUPPORTED:
            return None
        try:
            result = json.loads(done.stdout.strip().splitlines()[-1])
            assert done.returncode == 0 and result["mode"] == mode
            if not 0 < result["messages"] <= options["messages"]:
                return Failed(f"{result['messages']} messages where {options['messages']} are the most")
            assert result["rate"] > 0 and "cpu_us_per_message" in result and "seconds" in result
            return result
        except (IndexError, ValueError, KeyError, TypeError, AssertionError):
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            # rmq watches itself, and says so.
            return Failed(f"exit status {done.returncode}, said: {said}", hung="It hangs" in said)

    def choose_count(self, command, mode, target, uri, arguments):
        """How many messages make a run of the time wanted, found by running: also warms everything up."""
        large = arguments.get("size", 0) >= MIB
        queues = ("publish-confirm", "consume", "consume-ack", "handle", "confirm", "get")
        queued = target in ("tcp", "tls") and mode in queues
        least = 20 if mode == "connect" or large else 200
        most = 500 if mode == "connect" else 2000 if large else 200_000 if queued else 10_000_000
        slow = mode in ("connect", "ping-pong", "confirm", "get", "declare", "rpc", "delay")
        count = least if slow or large else 2000
        if "tasks" in arguments:  # each of them has something to do
            least, count = (max(n, 10 * arguments["tasks"]) for n in (least, count))
        for _ in range(3):
            result = self.run(command, mode, uri, arguments, count)
            if not isinstance(result, dict):
                return result
            enough = result["seconds"] > self.options.seconds / 4
            count = int(min(most, max(least, result["rate"] * self.options.seconds)))
            if enough:
                break
        return count

    def failed(self, name, target, scenario, failure):
        print(f"\nbench: {name} {'HUNG' if failure.hung else 'failed'} in {target}, {scenario.name}: {failure.why}",
              file=sys.stderr, flush=True)
        self.write({"client": name, "target": target, "scenario": scenario.name, "mode": scenario.mode,
                    "failed": failure.why, "hung": failure.hung})

    def scenario(self, peers, target, uri, extra, scenario):
        with busy_cores(scenario.busy):
            self.rounds(peers, target, uri, extra, scenario)

    def rounds(self, peers, target, uri, extra, scenario):
        arguments = {**scenario.options, **extra}
        counts = {}
        for name, command in peers.items():
            fixed = arguments.get("messages")
            count = fixed or self.choose_count(command, scenario.mode, target, uri, arguments)
            if isinstance(count, int):
                counts[name] = count
            elif count is not None:
                self.failed(name, target, scenario, count)
        print(f"{target:7} {scenario.name:44}", end="", flush=True)
        hangs = {}
        for round_number in range(self.options.rounds):
            for name, count in list(counts.items()):
                result = self.run(peers[name], scenario.mode, uri, arguments, count)
                if isinstance(result, dict):
                    self.write({**result, "client": name, "target": target, "scenario": scenario.name,
                                "round": round_number, "options": scenario.options})
                    print(".", end="", flush=True)
                elif result is None:
                    del counts[name]
                else:
                    print("x", end="", flush=True)
                    self.failed(name, target, scenario, result)
                    hangs[name] = hangs.get(name, 0) + result.hung
                    if hangs[name] == 2:
                        print(f"bench: {name} is left out of the rest of it", file=sys.stderr, flush=True)
                        del counts[name]
        print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 short rounds rather than 5")
    parser.add_argument("--peers", action="append", default=[os.path.join(HERE, "peers.txt")],
                        help="one more list of peers")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="one more peer")
    parser.add_argument("--only", default="", help="regular expression that 'target scenario' has to match")
    parser.add_argument("--results", default=f"{OUT}/results.jsonl")
    options = parser.parse_args()
    options.rounds = 3 if options.quick else 5
    options.seconds = 0.3 if options.quick else 1.0  # of the measured part of a run
    options.timeout = 30 if options.quick else 60

    peers = read_peers(options.peers, options.peer)
    if not peers:
        sys.exit("bench: no peer is there: run scripts/bench/build.sh")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    real = targets()
    runner = Runner(options)
    runner.write({"machine": describe_machine(bool(real))})
    with null_broker() as null, null_broker("--headers", str(HEADERS)) as headers:
        everything = {"null": (null, {}, NULL), "headers": (headers, {}, NULL_HEADERS), **real}
        for target, (uri, extra, scenarios) in everything.items():
            for scenario in scenarios:
                if re.search(options.only, f"{target} {scenario.name}"):
                    runner.scenario(peers, target, uri, extra, scenario)


if __name__ == "__main__":
    main()

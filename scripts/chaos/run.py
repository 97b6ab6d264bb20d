"""Runs the clients and makes them lose their connections; scripts/chaos.sh --help says what it prints."""

import argparse
import array
import bisect
import contextlib
import datetime
import json
import os
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

KILLS = ("reset", "close", "cut", "freeze")  # of one client's connections; the others are the broker's own
OUT = ".build/chaos"
GAP = 1.2


def say(text):
    print(text, file=sys.stderr if options.json else sys.stdout, flush=True)


def ctl(*arguments):
    return subprocess.run([os.environ["RABBITMQ_TEST_CTL"], *arguments], capture_output=True, text=True)


def serves(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            peer.sendall(b"AMQP\0\0\x09\x01")
            return peer.recv(1) == b"\x01"
    except OSError:
        return False


class Proxy:
    def __init__(self, target):
        self.process = subprocess.Popen([sys.executable, "scripts/chaos/proxy.py", str(target)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def order(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Client:
    """A process that publishes and consumes, on a virtual host of its own."""

    def __init__(self, name, command, mode="traffic", extra=()):
        self.name, self.vhost, self.port = name, f"chaos-{name}", int(broker_port)
        self.proxy = Proxy(self.port) if options.mode == "traffic" and {"cut", "freeze"} & set(options.kinds) else None
        if self.proxy:
            self.port = self.proxy.port
        ctl("delete_vhost", self.vhost)
        for arguments in (("add_vhost", self.vhost), ("set_permissions", "-p", self.vhost, "guest", ".*", ".*", ".*")):
            done = ctl(*arguments)
            if done.returncode:
                raise SystemExit(f"chaos: rabbitmqctl {' '.join(arguments)}: {done.stderr}")
        uri = f"amqp{'s' if options.tls else ''}://guest:guest@127.0.0.1:{self.port}/{self.vhost}"
        authority = []
        if options.tls and name == "rabbitmq-swift":
            uri += f"?cacertfile={os.environ['RABBITMQ_TEST_CA']}"
        elif options.tls:
            authority = ["--ca", os.environ["RABBITMQ_TEST_CA"]]
        self.record = f"{OUT}/{name}.record"
        if mode == "traffic" and os.path.exists(self.record):
            os.remove(self.record)
        # What each fault's moment is, in microseconds, with its kind.
        self.faults, self.samples, self.pending = [], [], b""
        self.confirmed = array.array("d"), array.array("d"), array.array("l")  # published, confirmed, number
        self.delivered = array.array("d"), array.array("l"), bytearray()  # when, number, redelivered
        self.published, self.events, self.errors, self.hangs = {}, [], [], []
        self.position, self.log_size = 0, os.path.getsize(broker_log)
        command = [*command, mode, "--uri", uri, *authority, *extra]
        if mode == "traffic":
            command += ["--record", self.record]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def wait_for(self, word, count=1, seconds=60):
        end = time.time() + seconds
        while sum(line.startswith(word) for line in self.lines) < count:
            if time.time() > end or self.process.poll() is not None and not self.reader.is_alive():
                return False
            time.sleep(0.005)
        return True

    @property
    def is_done(self):
        return "done" in self.lines or self.process.poll() is not None

    def stop(self):
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.proxy:
            self.proxy.stop()
        ctl("delete_vhost", self.vhost)

    # --- what it has written down

    def tail(self):
        if not os.path.exists(self.record):
            return
        with open(self.record, "rb") as file:
            file.seek(self.position)
            data = file.read()
        self.position += len(data)
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            self.take(line)

    def take(self, line):
        kind, *words = line.split(b" ")
        if kind == b"c":
            number, published, confirmed = map(int, words)
            self.confirmed[0].append(published)
            self.confirmed[1].append(confirmed)
            self.confirmed[2].append(number)
        elif kind == b"d":
            number, when, redelivered = map(int, words)
            self.delivered[0].append(when)
            self.delivered[1].append(number)
            self.delivered[2].append(redelivered)
        elif kind == b"v":
            self.events.append((int(words[0]), b" ".join(words[1:]).decode()))
        elif kind == b"e":
            self.errors.append(line.decode())
        elif kind == b"h":
            self.hangs.append(line.decode())

    def sample(self):
        if self.process.poll() is not None:
            return
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            self.samples.append((resident, len(os.listdir(f"/proc/{self.process.pid}/fd"))))
        except OSError:
            pass

    @property
    def progress(self):
        return len(self.confirmed[0])

    # --- faults: each gives its moment, in microseconds

    def reset(self):
        """What `ss -K` asks the kernel for, but without the time that starting it takes."""
        ports = self.sockets()
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as kernel:  # NETLINK_SOCK_DIAG
            moment = time.time()
            for port, table in ports:
                # Java's are IPv6 sockets with mapped addresses.
                address = socket.inet_aton("127.0.0.1")
                address = address + bytes(12) if table == "tcp" else bytes(10) + b"\xff\xff" + address
                family = socket.AF_INET if table == "tcp" else socket.AF_INET6
                request = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
                request += struct.pack("!HH", port, self.port) + address * 2 + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
                # SOCK_DESTROY, a request whose outcome is told
                kernel.send(struct.pack("=IHHII", 16 + len(request), 21, 5, 0, 0) + request)
                if struct.unpack_from("=i", kernel.recv(4096), 16)[0]:
                    return None
        return moment * 1e6

    def sockets(self):
        """The local ports of its connections."""
        inodes = set()
        try:
            for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(entry.path))
        except FileNotFoundError:
            return []  # It is done.
        ports = []
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}") as file:
                for line in list(file)[1:]:
                    words = line.split()
                    if words[3] == "01" and int(words[2].split(":")[1], 16) == self.port and f"socket:[{words[9]}]" in inodes:
                        ports.append((int(words[1].split(":")[1], 16), name))
        return ports

    def close(self):
        start = time.time()
        done = ctl("close_all_connections", "--vhost", self.vhost, "chaos")
        if done.returncode:
            say(f"chaos: close_all_connections: {done.stderr.strip()}")
        # The log will have the moment itself: rabbitmqctl takes a second to start and to end.
        return start * 1e6, time.time() * 1e6

    def find_closings(self):
        """The moments at which the broker closed connections by order, by its log."""
        with open(broker_log, errors="replace") as file:
            file.seek(self.log_size)
            times = [
                datetime.datetime.fromisoformat(found[1]).timestamp() * 1e6
                for found in re.finditer(r"^(\d+-\d+-\d+ [\d:.]+[+-]\d\d:\d\d) [^\n]*vhost: '" + re.escape(self.vhost)
                                         + r"'[^\n]*\n[^\n]*connection_forced: \"chaos\"", file.read(), re.MULTILINE)
            ]
        for index, (moment, kind) in enumerate(self.faults):
            if kind == "close":
                start, end = moment
                # It closes one after the other.
                found = max((each for each in times if start <= each <= end), default=None)
                if found is None:
                    say(f"chaos: the broker's log doesn't say when it closed {self.name}'s connections")
                self.faults[index] = (found or end, kind)

    def cut(self):
        return self.proxy.order("cut") * 1e6

    def freeze(self):
        self.proxy.order("freeze")
        time.sleep(1)
        return self.cut()

    # --- figures

    def recovery(self, moment):
        """Seconds until a message that was published later is confirmed, and until one that came later is delivered."""
        published, confirmed, _ = self.confirmed
        found = [None, None]
        at = max(0, bisect.bisect_left(confirmed, moment) - 100)
        for i in range(at, len(confirmed)):
            if published[i] >= moment and confirmed[i] >= moment:
                found[0] = (confirmed[i] - moment) / 1e6
                break
        when, numbers, redelivered = self.delivered
        at = max(0, bisect.bisect_left(when, moment) - 100)
        for i in range(at, len(when)):
            if when[i] >= moment and (redelivered[i] or self.published.get(numbers[i], 0) >= moment):
                found[1] = (when[i] - moment) / 1e6
                break
        return found

    def figures(self):
        self.tail()
        self.find_closings()
        published, confirmed, numbers = self.confirmed
        self.published = dict(zip(numbers, published))
        confirmed_at = dict(zip(numbers, confirmed))
        losses = [at for at, _ in self.faults] + [at for at, text in self.events if text.split()[1] in ("lost", "failed")]
        seen, duplicates, announced, redeliveries = set(), 0, 0, 0
        unannounced = []
        for when, number, redelivered in zip(*self.delivered):
            if number not in seen:
                seen.add(number)
                continue
            duplicates += 1
            was_pending = any(self.published.get(number, 0) <= at <= confirmed_at.get(number, 1e18) for at in losses)
            if redelivered or was_pending:
                announced += 1
                redeliveries += redelivered
            else:
                unannounced.append(number)
        lost = [number for number in numbers if number not in seen]
        result = {
            "client": self.name, "messages": options.messages, "confirmed": len(set(numbers)), "delivered": len(seen),
            "lost": len(lost), "duplicates": duplicates, "announced": announced, "redelivered": redeliveries,
            "hangs": len(self.hangs) + (0 if "done" in self.lines else 1), "errors": len(self.errors),
            "resent": sum(int(text.split()[2]) for _, text in self.events if text.split()[1] == "recovered"),
            "faults": len(self.faults),
        }
        for name, column in (("publisher_recovery_s", 0), ("consumer_recovery_s", 1)):
            result[name] = summary([each[2][column] for each in self.recoveries()])
        result["kinds"] = {
            kind: {"publisher": summary([each[2][0] for each in self.recoveries() if each[1] == kind]),
                   "consumer": summary([each[2][1] for each in self.recoveries() if each[1] == kind])}
            for kind in sorted({each[1] for each in self.faults})
        }
        latencies = sorted(b - a for a, b in zip(published, confirmed))
        result["confirm_median_s"] = round(latencies[len(latencies) // 2] / 1e6, 4) if latencies else None
        first, last = self.samples[len(self.samples) // 10:len(self.samples) // 5 + 1], self.samples[-len(self.samples) // 10:]
        if first and last:
            medians = [[statistics.median(column) for column in zip(*part)] for part in (first, last)]
            result["rss_mb"] = round(medians[1][0] / 1e6, 1)
            result["rss_growth_mb"] = round((medians[1][0] - medians[0][0]) / 1e6, 1)
            result["descriptor_growth"] = round(medians[1][1] - medians[0][1])
        timeline = self.timeline()
        if timeline:
            result["timeline_ms"] = timeline
        if unannounced:
            result["unannounced_examples"] = unannounced[:5]
        return result

    def timeline(self):
        """Medians of what the publishers' way back takes, in ms, where the first try was the one: from a fault until the
        application hears of it, the delay, connecting and replaying, and the confirm."""
        steps = []
        for moment, _, (publisher, _) in self.recoveries():
            later = [(at, *text.split()[1:3], text.split()) for at, text in self.events
                     if text.startswith("publishers") and at >= moment - 2000][:3]
            if publisher and [each[1] for each in later] == ["lost", "trying", "recovered"]:
                delay = float(later[1][3][3]) * 1e6
                steps.append((later[0][0] - moment, delay, later[2][0] - later[1][0] - delay,
                              moment + publisher * 1e6 - later[2][0]))
        names = ("heard", "delay", "made_again", "confirm")
        return {name: round(statistics.median(column) / 1e3, 1) for name, column in zip(names, zip(*steps))}

    def recoveries(self):
        if not hasattr(self, "recovered"):
            self.recovered = [(at, kind, self.recovery(at)) for at, kind in self.faults]
        return self.recovered


def summary(values):
    known = sorted(value for value in values if value is not None)
    if not known:
        return {"median": None, "p95": None, "max": None}
    p95 = known[min(len(known) - 1, -(-len(known) * 95 // 100) - 1)]
    return {"median": round(statistics.median(known), 4), "p95": round(p95, 4), "max": round(known[-1], 4),
            "count": len(known)}


# --- faults of the broker


def restart_broker(kind):
    """Takes the broker down and up again. The moment is when it serves again: nobody can be back before."""
    if kind == "restart":
        ctl("stop_app")
        command = [os.environ["RABBITMQ_TEST_CTL"], "start_app"]
    else:
        kill_broker()
        command = [os.environ["RABBITMQ_TEST_BROKER"], "start"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not serves(broker_port):
        if process.poll():
            raise SystemExit(f"chaos: the broker doesn't come back: {process.stderr.read()}")
        time.sleep(0.01)
    moment = time.time()
    process.wait()
    return moment * 1e6


def broker_process():
    with open(os.path.join(os.path.dirname(os.environ["RABBITMQ_TEST_CTL"]), "pid")) as file:
        return int(file.read())


def kill_broker():
    pid = broker_process()
    os.kill(pid, 9)
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.01)


# --- modes


def clients(mode, extra):
    found = [Client("rabbitmq-swift", [".build/release/ChaosProbe"], mode, extra)]
    for name in options.peers:
        if name == "aio-pika":
            command = [".build/bench/venv/bin/python", "scripts/chaos/aio_pika_peer.py"]
        else:
            command = ["java", "-cp", os.environ["CHAOS_CLASSPATH"], "JavaPeer"]
        found.append(Client(name, command, mode, extra))
    return found


def traffic():
    order = random.Random(options.seed)
    kinds = [options.kinds[i % len(options.kinds)] for i in range(options.faults)]
    order.shuffle(kinds)
    share = GAP if not options.peers else max(GAP, 0.8 * (1 + len(options.peers)))
    rate = options.rate
    if not rate:
        cost = {"close": 3, "freeze": 2, "restart": 12, "kill": 16}
        count = 1 + len(options.peers)
        seconds = 3 + sum(share + (cost[kind] - 0.5) * (count if kind in KILLS else 1) if kind in cost else share
                          for kind in kinds)
        rate = max(1, int(options.messages / seconds))
    extra = ["--messages", str(options.messages), "--rate", str(rate), "--queue", "chaos"]
    running = clients("traffic", extra)
    say(f"chaos: {options.messages} messages of each client, {rate} a second, {options.faults} faults, seed {options.seed}")
    stop = threading.Event()

    def watch():
        while not stop.wait(0.25):
            for each in running:
                each.tail()
                each.sample()

    watching = threading.Thread(target=watch)
    watching.start()
    begin = time.time()
    last = {each: begin for each in running}
    skipped = 0
    try:
        for each in running:
            if not each.wait_for("ready"):
                raise SystemExit(f"chaos: {each.name} doesn't start")
        begin = time.time()
        for each in running:
            last[each] = begin + 0.8
        for index, kind in enumerate(kinds):
            # Faults are spread over the messages.
            due = options.messages * (index + 0.5) / (options.faults + 1)
            while running[0].progress < due and not running[0].is_done and time.time() - begin < options.limit:
                time.sleep(0.02)
            if running[0].is_done or time.time() - begin >= options.limit:
                skipped = options.faults - index
                say(f"chaos: {skipped} faults left out: the time is over")
                break
            if kind in KILLS:
                for each in running:
                    if each.is_done:
                        continue
                    time.sleep(max(0.0, last[each] + GAP - time.time(), max(last.values()) + share / len(running) - time.time()))
                    moment = getattr(each, kind)()
                    if moment is None:
                        other = "cut" if each.proxy else "close"
                        say(f"chaos: ss -K is not permitted here: {other} takes the place of reset")
                        kind = other
                        moment = getattr(each, kind)()
                    each.faults.append((moment, kind))
                    last[each] = time.time()
            else:
                time.sleep(max(0.0, max(last.values()) + GAP - time.time()))
                moment = restart_broker(kind)
                for each in running:
                    each.faults.append((moment, kind))
                    # Until it is back, it can't lose anything again.
                    count, end = each.progress, time.time() + 60
                    while each.progress == count and not each.is_done and time.time() < end:
                        time.sleep(0.05)
                    last[each] = time.time()
        # Who is ahead waits for nobody, and nobody for ever.
        end = time.time() + max(90, options.limit - (time.time() - begin))
        while not all(each.is_done for each in running) and time.time() < end:
            time.sleep(0.1)
        seconds = time.time() - begin
    finally:
        stop.set()
        watching.join()
        for each in running:
            each.stop()
    results = [each.figures() for each in running]
    for result in results:
        print_figures(result)
    with open(f"{OUT}/recoveries.json", "w") as file:
        json.dump({each.name: [dict(at=at, kind=kind, publisher=p, consumer=c) for at, kind, (p, c) in each.recoveries()]
                   for each in running}, file)
    mine = results[0] | {"seconds": round(seconds, 1), "seed": options.seed, "faults_left_out": skipped}
    if len(results) > 1:
        mine["peers"] = {each["client"]: each for each in results[1:]}
    return mine, mine["lost"] == 0 and mine["hangs"] == 0 and mine["duplicates"] == mine["announced"]


def print_figures(figures):
    def times(name):
        return ", ".join(f"{key} {value}" for key, value in figures[name].items())

    say(f"""{figures['client']}
  messages             {figures['confirmed']} confirmed, {figures['delivered']} delivered, {figures['errors']} errors
  lost                 {figures['lost']}
  duplicates           {figures['duplicates']}, of these announced: {figures['announced']} (redelivered: {figures['redelivered']}; resent in all: {figures['resent']})
  hangs                {figures['hangs']}
  publisher back       {times('publisher_recovery_s')} (s; a confirm otherwise: {figures['confirm_median_s']})
  consumer back        {times('consumer_recovery_s')} (s)
  on the way back      {figures.get('timeline_ms', 'not told')} (ms, medians)
  memory, descriptors  {figures.get('rss_growth_mb')} MB more, to {figures.get('rss_mb')}; {figures.get('descriptor_growth')} more""")
    for kind, each in figures["kinds"].items():
        say(f"  {kind:19}  publisher {each['publisher']}, consumer {each['consumer']}")


def topology():
    extra = ["--entities", str(options.topology), "--rounds", "5"]
    options.peers = [name for name in options.peers if name == "java"]
    running = clients("topology", extra)
    results = {}
    try:
        for number in range(1, 6):
            for each in running:
                if not each.wait_for("ready", number, 300):
                    raise SystemExit(f"chaos: {each.name} doesn't come back")
                time.sleep(1)
                if each.reset() is None:
                    each.close()
                # One at a time.
                each.wait_for("ready" if number < 5 else "{", number + 1 if number < 5 else 1, 300)
    finally:
        for each in running:
            each.stop()
    for each in running:
        results[each.name] = json.loads(next(line for line in each.lines if line.startswith("{")))
    mine = results["rabbitmq-swift"]
    recovery, one_pass = statistics.median(mine["recovery_s"]), statistics.median(mine["pass_s"])
    result = {"topology": options.topology, "recovery_s": summary(mine["recovery_s"]), "pass_s": summary(mine["pass_s"]),
              "ratio": round(recovery / one_pass, 2), "report": mine["reports"][-1]}
    if "java" in results:
        result["java_recovery_s"] = summary(results["java"]["recovery_s"])
    say("\n".join(f"  {key:16} {value}" for key, value in result.items()))
    return result, result["ratio"] <= 1.5


def outage():
    options.peers = []
    client = clients("outage", ["--connections", str(options.connections)])[0]
    try:
        if not client.wait_for("ready"):
            raise SystemExit("chaos: the connections can't be made")
        time.sleep(2)
        kill_broker()
        down = time.time()
        time.sleep(options.outage)
        subprocess.run([os.environ["RABBITMQ_TEST_BROKER"], "start"], stdout=subprocess.DEVNULL, check=True)
        down = time.time() - down
        if not client.wait_for("{", 1, 240):
            raise SystemExit("chaos: the connections don't come back")
    finally:
        client.stop()
    figures = json.loads(next(line for line in client.lines if line.startswith("{")))
    count, tries = figures["connections"], figures["tries_s"]
    until = min(options.outage, down)
    early, late = sum(t < 10 for t in tries), sum(10 <= t < until for t in tries)
    result = {
        "outage_s": round(down, 1), "connections": count,
        "tries_per_s_first_10_s": round(early / count / min(10, until), 3),
        "tries_per_s_afterwards": round(late / count / (until - 10), 3) if until > 10 else None,
        "cpu_share_first_10_s": round(sum(figures["cpu_s"][:10]) / 10, 4),
        "cpu_share_afterwards": round(statistics.mean(figures["cpu_s"][10:int(until)] or [0]), 4),
        "recovered": len(figures["recoveries_s"]),
        "recovered_after_return_s": summary([max(0, each - down) for each in figures["recoveries_s"]]),
        "most_tries_in_100_ms_after_1_s": max(
            [sum(t <= other < t + 0.1 for other in tries[i:i + count]) for i, t in enumerate(tries) if 1 < t < until] or [0]),
    }
    say("\n".join(f"  {key:32} {value}" for key, value in result.items()))
    return result, result["tries_per_s_first_10_s"] <= 1.2 and (result["tries_per_s_afterwards"] or 0) < 0.1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, value in dict(messages=24000, faults=20, seed=1, rate=0, topology=0, outage=0, connections=500, limit=840).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["reset", "close", "cut"])
    parser.add_argument("--peers", type=lambda text: [name for name in text.split(",") if name], default=[])
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.mode = "topology" if options.topology else "outage" if options.outage else "traffic"
    broker_port = int(os.environ["RABBITMQ_TEST_TLS_PORT" if options.tls else "RABBITMQ_TEST_PORT"])
    broker_log = os.path.join(os.path.dirname(os.environ["RABBITMQ_TEST_CTL"]), "log/rabbit.log")
    os.makedirs(OUT, exist_ok=True)
    figures, is_good = {"topology": topology, "outage": outage, "traffic": traffic}[options.mode]()
    if options.json:
        print(json.dumps(figures))
    sys.exit(0 if is_good else 1)

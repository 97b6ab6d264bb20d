"""The figures this package means to reach. A ratio is to rabbitmq-c's own calls doing the same, unless it says so."""

import dataclasses

from results import (BASE, CONNECTED, EMPTY, OURS, bandwidth, coding, cpu, kilobytes_each, p50, p99, rate, resident,
                     threads)
from scenarios import (CHANNELS, CONFIRM, CONFIRM_BUSY, CONSUMERS, DECLARE, DELAY, GET, HANDLE, IDLE, PACED, PROCESS,
                       PUBLISH_HEADERS, READ, RPC, RPC_MANY, TASKS, UNREAD, WORK, waiting, working)

GO = "amqp091-go"
NAMES = {"null": "null broker", "headers": "null broker", "tcp": "RabbitMQ", "tls": "RabbitMQ over TLS"}


@dataclasses.dataclass(frozen=True)
class Goal:
    what: str
    reached: float  # None if it was not measured
    side: str  # most or least
    limit: float
    unit: str = "x"
    hung: bool = False  # whether some of our own runs gave no figure

    @property
    def verdict(self):
        if self.reached is None:
            return "no: failed" if self.hung else "not measured"
        fine = self.reached <= self.limit if self.side == "most" else self.reached >= self.limit
        return "no" if not fine else "yes, but some runs failed" if self.hung else "yes"


def goals(results):
    found = []

    def add(what, target, scenario, reached, limit, side="most", unit="x"):
        hung = OURS in results.failures.get((target, scenario), {})
        found.append(Goal(f"{scenario}, {NAMES[target]}: {what}", reached, side, limit, unit, hung))

    def ratio(what, target, scenario, measure, limit, side="most", **base):
        add(what, target, scenario, results.ratio(target, scenario, OURS, measure, **base), limit, side)

    def figure(what, target, scenario, measure, limit, unit, less=None, client=OURS):
        """An absolute one, or what it is above another client's."""
        reached = results.value(target, scenario, client, measure)
        if less is not None:
            base = results.value(target, scenario, less, measure)
            reached = None if reached is None or base is None else reached - base
        add(what, target, scenario, reached, limit, unit=unit)

    # Publishing and consuming, with as much work between two messages.
    ratio("CPU", "null", "publish", cpu, 0.02)
    ratio("CPU, of the blast's", "null", "publish", cpu, 3, base="blast")
    for us in WORK:
        ratio("CPU", "null", working("publish", us), cpu, 0.8)
    # rabbitmq-c writes at once: what is above it, nobody has sent yet.
    figure("until the last byte is there, 99 %, above rabbitmq-c's", "null", DELAY, p99, 50, " us", less=BASE)
    ratio("CPU", "null", "consume", cpu, 0.8)
    ratio("CPU", "null", "consume-ack", cpu, 1 / 5)
    for us in WORK:
        ratio("CPU", "null", working("consume-ack", us), cpu, 0.9)
    for scenario in ("consume", "consume-ack"):
        ratio("CPU", "tcp", scenario, cpu, 0.8)
        ratio("messages/s", "tcp", scenario, rate, 1, "least")
    figure("CPU", "null", HANDLE, cpu, 0.8, " us")

    # Waiting for an answer.
    ratio("CPU, of rabbitmq-c's publish", "null", "publish-confirm", cpu, 1 / 10, base_scenario="publish")
    ratio("CPU", "tcp", "publish-confirm", cpu, 0.5)
    ratio("messages/s", "tcp", "publish-confirm", rate, 1, "least")
    for scenario, latency in ((CONFIRM, 1.15), (GET, 1.2), (DECLARE, 1.2)):
        for target in ("null", "tcp"):
            ratio("CPU", target, scenario, cpu, 2)
            ratio("median", target, scenario, p50, latency)
    ratio("99 %", "null", CONFIRM_BUSY, p99, 1)
    for tasks, limit in zip(TASKS, (6, 2, 1.2)):
        # By the other client the machine's speed is taken out of it.
        scenario = waiting(tasks)
        if results.value("null", scenario, GO, cpu) is not None:
            ratio("CPU, of amqp091-go's", "null", scenario, cpu, 1 / 10, base=GO)
        else:
            figure("CPU", "null", scenario, cpu, limit, " us")
    for target in ("tcp", "tls"):
        ratio("median", target, "ping-pong", p50, 1)
        ratio("99 %", target, "ping-pong", p99, 1)
        ratio("CPU", target, "ping-pong", cpu, 1.2)
    ratio("median", "tcp", RPC, p50, 1)
    ratio("CPU", "tcp", RPC_MANY, cpu, 1.5)

    # What is in a message.
    ratio("CPU, of publishing without", "null", PUBLISH_HEADERS, cpu, 3, base=OURS, base_scenario="publish")
    ratio("CPU, of consuming without", "headers", UNREAD, cpu, 1.15, base=OURS, base_scenario="consume",
          base_target="null")
    ratio("CPU", "headers", READ, cpu, 1)
    for what in ("encode", "decode"):
        alone, whole = (results.value("null", "codable", OURS, coding(name)) for name in (what + "_alone", what))
        add(f"CPU to {what}, above the coder's alone", "null", "codable",
            None if alone is None or whole is None else whole - alone, 0.3, unit=" us")
    ratio("bytes/s", "null", "publish, 1 MiB", bandwidth, 1, "least")
    ratio("bytes/s", "null", "publish, 16 MiB", bandwidth, 1, "least")
    ratio("messages/s", "tls", "publish, unroutable", rate, 4, "least")

    # Crowds, and what a connection takes.
    ratio("CPU, of one's", "null", CHANNELS, cpu, 1.1, base=OURS, base_scenario="publish")
    ratio("CPU, of one's", "null", CONSUMERS, cpu, 1.15, base=OURS, base_scenario="consume")
    for target in ("null", "tcp"):
        ratio("median", target, "connect", p50, 1.05)
        ratio("CPU", target, "connect", cpu, 1.3)
    for target in ("null", "tcp"):
        figure("memory of each", target, IDLE, kilobytes_each, 40, " KB")
        figure("threads", target, IDLE, threads, 12, "")
        figure("CPU of each message", target, PACED, cpu, 8, " us")
        figure("threads", target, PACED, threads, 12, "")
    # Of a program that has nothing but a connection: what the tool takes beside it is no matter of the library's.
    figure("memory, above an empty program's", "null", PROCESS, resident, 14, " MB", less=EMPTY, client=CONNECTED)
    figure("threads, above an empty program's", "null", PROCESS, threads, 4, "", less=EMPTY, client=CONNECTED)
    return found

"""What is measured: each scenario is a row of the table."""

import dataclasses

MIB = 1024 * 1024
HEADERS = 1000  # bytes of them, where a message has any
WORK = (2, 5, 10, 20, 50, 100, 1000)  # microseconds that a program computes after each message
TASKS = (10, 100, 1000)
CROWD = 1000  # connections


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A row. A peer is given as many messages as make a run of about the same time, unless `options` says how many."""
    name: str
    mode: str
    options: dict = dataclasses.field(default_factory=dict)
    busy: bool = False  # whether every core has other work meanwhile


# The names are those of the rows that goals.py looks at.
CONFIRM, GET, DECLARE = "confirm, one at a time", "get, one at a time", "declare, one at a time"
RPC, RPC_MANY = "rpc, one at a time", "rpc, 100 in flight"
CONFIRM_BUSY = "confirm, all cores busy"
HANDLE = "handle, 10 at a time"
CHANNELS, CONSUMERS = "publish, 100 channels", "consume, 500 consumers"
PUBLISH_HEADERS, UNREAD, READ = "publish, 1 KB of headers", "consume, headers unread", "consume, headers read"
PROCESS, IDLE, PACED = "process, connected", "1,000 connections, idle", "1,000 connections, a message a second each"
DELAY = "delay, 1000 us of work"


def working(mode, microseconds):
    return f"{mode}, {microseconds} us of work"


def waiting(tasks):
    return f"confirm, {tasks:,} tasks"


CROWDS = [
    Scenario(IDLE, "idle", {"connections": CROWD, "seconds": 3, "messages": 3 * CROWD}),
    # Ten for each: at the end every one of them waits once for the broker, which is no message.
    Scenario(PACED, "publish", {"connections": CROWD, "rate": CROWD, "seconds": 15, "messages": 10 * CROWD}),
]
NULL = [
    Scenario("publish", "publish"),
    Scenario("publish-confirm", "publish-confirm"),
    Scenario("consume", "consume"),
    Scenario("consume-ack", "consume-ack"),
    *(Scenario(working(mode, us), mode, {"work": us}) for mode in ("publish", "consume-ack") for us in WORK),
    Scenario(DELAY, "delay", {"work": 1000}),
    Scenario(CONFIRM, "confirm"),
    Scenario(CONFIRM_BUSY, "confirm", busy=True),
    *(Scenario(waiting(tasks), "confirm", {"tasks": tasks}) for tasks in TASKS),
    Scenario(GET, "get"),
    Scenario(DECLARE, "declare"),
    Scenario(HANDLE, "handle", {"tasks": 10}),
    Scenario(PUBLISH_HEADERS, "publish", {"headers": HEADERS}),
    Scenario(CHANNELS, "publish", {"channels": 100}),
    Scenario(CONSUMERS, "consume", {"consumers": 500}),
    Scenario("publish, 1 MiB", "publish", {"size": MIB}),
    Scenario("publish, 16 MiB", "publish", {"size": 16 * MIB}),
    Scenario("connect", "connect"),
    Scenario("codable", "codable"),
    Scenario(PROCESS, "idle", {"connections": 1, "seconds": 1, "messages": 1}),
    *CROWDS,
]
# Against a null broker whose messages have headers.
NULL_HEADERS = [
    Scenario(UNREAD, "consume", {"headers": HEADERS}),
    Scenario(READ, "consume", {"headers": HEADERS, "read-headers": True}),
]
# To a key without a queue, publishing shows what the connection costs and routing doesn't hide it.
REAL = [
    Scenario("publish, unroutable", "publish", {"routing-key": "bench.unroutable"}),
    Scenario("publish-confirm", "publish-confirm"),
    Scenario("consume", "consume"),
    Scenario("consume-ack", "consume-ack"),
    Scenario("ping-pong", "ping-pong"),
    Scenario(CONFIRM, "confirm"),
    Scenario(GET, "get"),
    Scenario(DECLARE, "declare"),
    Scenario(RPC, "rpc"),
    Scenario(RPC_MANY, "rpc", {"tasks": 100}),
    Scenario("connect", "connect"),
]
TCP_ONLY = CROWDS

"""The peer on pika: BlockingConnection, as its documentation uses it, but for windowed confirms, which it cannot do
(it waits for each); those are on SelectConnection."""

import time

import pika
from common import (REPLY_TO, check_headers, compute, content_type, headers, is_over, order, parse_options,
                    read_clocks, refuse, report, stamp, tls_context, wait_for_turn)

CLIENT = "pika"


def parameters(o):
    p = pika.URLParameters(o.uri)
    if o.tls:
        p.ssl_options = pika.SSLOptions(tls_context(o), p.host)
    return p


def properties(o, number=0, **more):
    return pika.BasicProperties(content_type=content_type(o), delivery_mode=2 if o.persistent else 1,
                                timestamp=int(time.time()), headers=headers(o, number), **more)


def declare(channel, o, passive=False, queue=None):
    return channel.queue_declare(queue or o.queue, passive=passive, auto_delete=True).method.message_count


def publish(o):
    """Also what is encoded, and what says when it was published."""
    connection = pika.BlockingConnection(parameters(o))
    channels = [connection.channel() for _ in range(o.channels)]
    declare(channels[0], o)
    fixed, props = b"x" * o.size, properties(o)

    def body(i):
        return order(i) if o.mode == "codable" else stamp(o)

    def run(count, start=None):
        made = o.mode == "codable" or o.mode == "delay" and start
        done = 0
        for i in range(count):
            if start and o.rate:
                connection.sleep(wait_for_turn(o, start, i))
            channels[i % len(channels)].basic_publish(o.exchange, o.routing_key, body(i) if made else fixed,
                                                      properties(o, i) if o.headers else props)
            if o.work_steps:
                compute(o.work_steps)
            done += 1
            if start and is_over(o, start, done):
                break
        for channel in channels:
            declare(channel, o, passive=True)
        return done

    run(o.warmup)
    start = read_clocks()
    count = run(o.messages, start)
    end, delays = read_clocks(), None
    if o.mode == "codable":
        o.size = len(order(count))
    elif o.mode == "delay":
        delays = {name: declare(channels[0], o, True, f"null.delay.{part}") / 1000
                  for name, part in (("p50", 500), ("p99", 990), ("p999", 999), ("max", 1000))}
    report(CLIENT, o, start, count, delays=delays, end=end)
    channels[0].queue_delete(o.queue)
    connection.close()


class ConfirmingPublisher:
    """Publishes on one channel as long as fewer than the window are unconfirmed."""

    def __init__(self, o):
        self.o, self.body, self.props = o, b"x" * o.size, properties(o)
        self.total = o.warmup + o.messages
        self.published = self.confirmed = 0
        self.pending = set()
        self.start = read_clocks()
        self.failure = None
        self.connection = pika.SelectConnection(
            parameters(o), on_open_callback=lambda c: c.channel(on_open_callback=self.opened),
            on_open_error_callback=self.ended, on_close_callback=self.ended)

    def ended(self, connection, reason):
        if self.confirmed < self.total:
            self.failure = reason
        connection.ioloop.stop()

    def opened(self, channel):
        self.channel = channel
        channel.add_on_close_callback(lambda _, reason: self.ended(self.connection, reason))
        channel.queue_declare(self.o.queue, auto_delete=True, callback=lambda _: channel.confirm_delivery(
            self.settled, callback=lambda _: self.more()))

    def more(self):
        # Up to the end of the warm-up only, until all of that is confirmed.
        until = self.o.warmup if self.confirmed < self.o.warmup else self.total
        while len(self.pending) < self.o.window and self.published < until:
            props = properties(self.o, self.published) if self.o.headers else self.props
            self.channel.basic_publish(self.o.exchange, self.o.routing_key, self.body, props)
            if self.o.work_steps:
                compute(self.o.work_steps)
            self.published += 1
            self.pending.add(self.published)
            measured = self.published - self.o.warmup
            if measured > 0 and is_over(self.o, self.start, measured):
                self.total = until = self.published

    def settled(self, frame):
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self.ended(self.connection, "nacked")
            return
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            while self.confirmed + 1 <= tag:
                self.confirmed += 1
                self.pending.discard(self.confirmed)
        else:
            self.pending.discard(tag)
        while self.confirmed < self.published and self.confirmed + 1 not in self.pending:
            self.confirmed += 1
        if self.confirmed == self.o.warmup:
            self.start = read_clocks()
        if self.confirmed == self.total:
            report(CLIENT, self.o, self.start, self.total - self.o.warmup)
            self.channel.queue_delete(self.o.queue, callback=lambda _: self.connection.close())
        else:
            self.more()

    def run(self):
        self.connection.ioloop.start()
        if self.failure:
            raise SystemExit(str(self.failure))


def publish_confirm(o):
    if o.channels > 1:
        refuse("confirms on one channel only")
    ConfirmingPublisher(o).run()


def fill(channel, o, needed):
    body, props = b"x" * o.size, properties(o)
    for i in range(declare(channel, o), needed):
        channel.basic_publish("", o.queue, body, properties(o, i) if o.headers else props)
    declare(channel, o, passive=True)


def consume(o):
    acks = o.mode != "consume"
    connection = pika.BlockingConnection(parameters(o))
    channels = [connection.channel() for _ in range(o.channels)]
    needed = o.warmup + o.messages
    fill(channels[0], o, needed)
    count = 0
    start = read_clocks()

    def delivered(channel, method, props, received):
        nonlocal count, start
        if count == needed:  # more than needed may come
            return
        if len(received) != o.size:
            raise SystemExit(f"a body of {len(received)} bytes")
        if o.read_headers:
            check_headers(props.headers)
        if o.work_steps:
            compute(o.work_steps)
        if acks:
            channel.basic_ack(method.delivery_tag)
        count += 1
        if count == needed or count > o.warmup and is_over(o, start, count - o.warmup):
            report(CLIENT, o, start, count - o.warmup)
            # Not close(): it cancels one consumer after another, each time going through all that arrived meanwhile.
            raise SystemExit
        if count == o.warmup:
            start = read_clocks()

    for channel in channels:
        if acks:
            channel.basic_qos(prefetch_count=o.prefetch)
    for i in range(o.consumers):
        channels[i % len(channels)].basic_consume(o.queue, delivered, auto_ack=not acks)
    while count < needed:
        connection.process_data_events(time_limit=None)


def timed(o, call):
    """Calls over and over, and reports how long each took."""
    latencies = []
    start = read_clocks()
    for i in range(-o.warmup, o.messages):
        if i == 0:
            start = read_clocks()
        elif i > 0 and is_over(o, start, i):
            break
        began = time.perf_counter()
        call()
        if i >= 0:
            latencies.append(time.perf_counter() - began)
    report(CLIENT, o, start, len(latencies), latencies)


def ping_pong(o):
    connection = pika.BlockingConnection(parameters(o))
    channel = connection.channel()
    declare(channel, o)
    body, props = b"x" * o.size, properties(o)
    got = 0

    def delivered(*_):
        nonlocal got
        got += 1

    def call():
        expected = got + 1
        channel.basic_publish(o.exchange, o.routing_key, body, props)
        while got < expected:
            connection.process_data_events(time_limit=None)

    channel.basic_consume(o.queue, delivered, auto_ack=True)
    timed(o, call)
    connection.close()


def confirm(o):
    if o.tasks > 1:
        refuse("one thread for a connection, which waits for each confirm")
    connection = pika.BlockingConnection(parameters(o))
    channel = connection.channel()
    channel.confirm_delivery()
    declare(channel, o)
    body, props = b"x" * o.size, properties(o)
    timed(o, lambda: channel.basic_publish(o.exchange, o.routing_key, body, props))
    channel.queue_delete(o.queue)
    connection.close()


def get(o):
    connection = pika.BlockingConnection(parameters(o))
    channel = connection.channel()
    fill(channel, o, o.warmup + o.messages)

    def call():
        method, _, _ = channel.basic_get(o.queue)
        if method is None:
            raise SystemExit("the queue is empty too early")
        channel.basic_ack(method.delivery_tag)

    timed(o, call)
    channel.queue_delete(o.queue)
    connection.close()


def declare_passively(o):
    connection = pika.BlockingConnection(parameters(o))
    channel = connection.channel()
    declare(channel, o)
    timed(o, lambda: declare(channel, o, passive=True))
    channel.queue_delete(o.queue)
    connection.close()


def rpc(o):
    """By hand: a channel serves, another calls, and the reply comes directly; --tasks calls are on their way."""
    connection = pika.BlockingConnection(parameters(o))
    server, client = connection.channel(), connection.channel()
    declare(server, o)
    body = b"x" * o.size
    sent, times = {}, []

    def serve(channel, method, props, request):
        channel.basic_publish("", props.reply_to, request, properties(o, correlation_id=props.correlation_id))
        channel.basic_ack(method.delivery_tag)

    def replied(_channel, _method, props, _reply):
        times.append(time.perf_counter() - sent.pop(props.correlation_id))

    def run(count, start=None):
        times.clear()
        number, over = 0, False
        while len(times) < number or number < count and not over:
            if number < count and not over and number - len(times) < o.tasks:
                name = str(number)
                sent[name] = time.perf_counter()
                client.basic_publish("", o.queue, body, properties(o, reply_to=REPLY_TO, correlation_id=name))
                number += 1
                over = start is not None and is_over(o, start, number)
            else:
                connection.process_data_events(time_limit=None)

    server.basic_consume(o.queue, serve)
    client.basic_consume(REPLY_TO, replied, auto_ack=True)
    run(o.warmup)
    start = read_clocks()
    run(o.messages, start)
    report(CLIENT, o, start, len(times), times)
    connection.close()


def connect(o):
    def call():
        connection = pika.BlockingConnection(parameters(o))
        connection.channel().close()
        connection.close()

    timed(o, call)


def idle(o):
    connection = pika.BlockingConnection(parameters(o))
    connection.channel()
    seconds = max(1, int(o.seconds or 3))
    connection.sleep(1)
    start = read_clocks()
    connection.sleep(seconds)
    report(CLIENT, o, start, seconds)
    connection.close()


if __name__ == "__main__":
    options = parse_options()
    ways = {"publish": publish, "codable": publish, "delay": publish, "publish-confirm": publish_confirm,
            "consume": consume, "consume-ack": consume, "handle": consume, "ping-pong": ping_pong, "confirm": confirm,
            "get": get, "declare": declare_passively, "rpc": rpc, "connect": connect, "idle": idle}
    ways[options.way](options)

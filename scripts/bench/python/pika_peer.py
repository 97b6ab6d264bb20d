"""The peer on pika: BlockingConnection, as its documentation uses it, but for windowed confirms, which it cannot do
(it waits for each); those are on SelectConnection."""

import time

import pika
from common import parse_options, read_clocks, report, tls_context

CLIENT = "pika"


def parameters(o):
    p = pika.URLParameters(o.uri)
    if o.tls:
        p.ssl_options = pika.SSLOptions(tls_context(o), p.host)
    return p


def properties(o):
    return pika.BasicProperties(content_type="application/octet-stream", delivery_mode=2 if o.persistent else 1,
                                timestamp=int(time.time()))


def declare(channel, o, passive=False):
    return channel.queue_declare(o.queue, passive=passive, auto_delete=True).method.message_count


def publish(o):
    connection = pika.BlockingConnection(parameters(o))
    channels = [connection.channel() for _ in range(o.channels)]
    declare(channels[0], o)
    body, props = b"x" * o.size, properties(o)

    def run(count):
        for i in range(count):
            channels[i % len(channels)].basic_publish(o.exchange, o.routing_key, body, props)
        for channel in channels:
            declare(channel, o, passive=True)

    run(o.warmup)
    start = read_clocks()
    run(o.messages)
    report(CLIENT, o, start)
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
            self.channel.basic_publish(self.o.exchange, self.o.routing_key, self.body, self.props)
            self.published += 1
            self.pending.add(self.published)

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
            report(CLIENT, self.o, self.start)
            self.channel.queue_delete(self.o.queue, callback=lambda _: self.connection.close())
        else:
            self.more()

    def run(self):
        self.connection.ioloop.start()
        if self.failure:
            raise SystemExit(str(self.failure))


def consume(o):
    acks = o.mode == "consume-ack"
    connection = pika.BlockingConnection(parameters(o))
    channels = [connection.channel() for _ in range(o.channels)]
    needed = o.warmup + o.messages
    body, props = b"x" * o.size, properties(o)
    for _ in range(declare(channels[0], o), needed):
        channels[0].basic_publish("", o.queue, body, props)
    declare(channels[0], o, passive=True)
    count = 0
    start = read_clocks()

    def delivered(channel, method, _, received):
        nonlocal count, start
        if count == needed:  # more than needed may come
            return
        if len(received) != o.size:
            raise SystemExit(f"a body of {len(received)} bytes")
        if acks:
            channel.basic_ack(method.delivery_tag)
        count += 1
        if count == needed:
            report(CLIENT, o, start)
            # Not close(): it cancels one consumer after another, each time going through all that arrived meanwhile.
            raise SystemExit
        elif count == o.warmup:
            start = read_clocks()

    for channel in channels:
        if acks:
            channel.basic_qos(prefetch_count=o.prefetch)
    for i in range(o.consumers):
        channels[i % len(channels)].basic_consume(o.queue, delivered, auto_ack=not acks)
    while count < needed:
        connection.process_data_events(time_limit=None)


def ping_pong(o):
    connection = pika.BlockingConnection(parameters(o))
    channel = connection.channel()
    declare(channel, o)
    body, props = b"x" * o.size, properties(o)
    got = 0

    def delivered(*_):
        nonlocal got
        got += 1

    channel.basic_consume(o.queue, delivered, auto_ack=True)
    latencies = []
    start = read_clocks()
    for i in range(-o.warmup, o.messages):
        if i == 0:
            start = read_clocks()
        expected, sent = got + 1, time.perf_counter()
        channel.basic_publish(o.exchange, o.routing_key, body, props)
        while got < expected:
            connection.process_data_events(time_limit=None)
        if i >= 0:
            latencies.append(time.perf_counter() - sent)
    report(CLIENT, o, start, latencies)
    connection.close()


def connect(o):
    latencies = []
    start = read_clocks()
    for i in range(-o.warmup, o.messages):
        if i == 0:
            start = read_clocks()
        began = time.perf_counter()
        connection = pika.BlockingConnection(parameters(o))
        connection.channel().close()
        connection.close()
        if i >= 0:
            latencies.append(time.perf_counter() - began)
    report(CLIENT, o, start, latencies)


if __name__ == "__main__":
    options = parse_options()
    if options.mode == "publish-confirm":
        if options.channels > 1:
            print("confirms on one channel only")
            raise SystemExit(3)
        ConfirmingPublisher(options).run()
    else:
        {"publish": publish, "consume": consume, "consume-ack": consume, "ping-pong": ping_pong,
         "connect": connect}[options.mode](options)

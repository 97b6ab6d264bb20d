"""The peer on aio-pika: a plain connection, publish awaited one by one, or `window` at a time where each is confirmed."""

import asyncio
import datetime
import time

import aio_pika
from common import parse_options, read_clocks, report, tls_context

CLIENT = "aio-pika"


async def open_connection(o):
    return await aio_pika.connect(o.uri, ssl_context=tls_context(o) if o.tls else None)


def message(o):
    return aio_pika.Message(b"x" * o.size, content_type="application/octet-stream",
                            delivery_mode=2 if o.persistent else 1,
                            timestamp=datetime.datetime.now(datetime.timezone.utc))


def declare(channel, o, passive=False):
    return channel.declare_queue(o.queue, passive=passive, auto_delete=True)


async def exchange_on(channel, name):
    return await channel.get_exchange(name, ensure=False) if name else channel.default_exchange


async def publish(o):
    confirms = o.mode == "publish-confirm"
    connection = await open_connection(o)
    channels = [await connection.channel(publisher_confirms=confirms) for _ in range(o.channels)]
    exchanges = [await exchange_on(channel, o.exchange) for channel in channels]
    queue = await declare(channels[0], o)
    one = message(o)

    async def run(count):
        if confirms:
            left = iter(range(count))

            async def worker():
                for i in left:
                    await exchanges[i % len(exchanges)].publish(one, o.routing_key, mandatory=False)

            await asyncio.gather(*(worker() for _ in range(min(o.window, count))))
        else:
            for i in range(count):
                await exchanges[i % len(exchanges)].publish(one, o.routing_key, mandatory=False)
            for channel in channels:
                await declare(channel, o, passive=True)

    await run(o.warmup)
    start = read_clocks()
    await run(o.messages)
    report(CLIENT, o, start)
    await queue.delete(if_unused=False, if_empty=False)
    await connection.close()


async def consume(o):
    acks = o.mode == "consume-ack"
    connection = await open_connection(o)
    channels = [await connection.channel(publisher_confirms=False) for _ in range(o.channels)]
    needed = o.warmup + o.messages
    queues = [await declare(channel, o) for channel in channels]
    one = message(o)
    for _ in range(queues[0].declaration_result.message_count, needed):
        await channels[0].default_exchange.publish(one, o.queue, mandatory=False)
    await declare(channels[0], o, passive=True)
    count = 0
    start = read_clocks()
    done = asyncio.Event()

    async def delivered(received):
        nonlocal count, start
        if done.is_set():  # more than needed may come
            return
        if len(received.body) != o.size:
            raise SystemExit(f"a body of {len(received.body)} bytes")
        if acks:
            await received.ack()
        count += 1
        if count == needed:
            report(CLIENT, o, start)
            done.set()
        elif count == o.warmup:
            start = read_clocks()

    if acks:
        for channel in channels:
            await channel.set_qos(o.prefetch)
    for i in range(o.consumers):
        await queues[i % len(queues)].consume(delivered, no_ack=not acks)
    await done.wait()
    await connection.close()


async def ping_pong(o):
    connection = await open_connection(o)
    channel = await connection.channel(publisher_confirms=False)
    queue = await declare(channel, o)
    exchange = await exchange_on(channel, o.exchange)
    one = message(o)
    arrived = asyncio.Event()

    async def delivered(_):
        arrived.set()

    await queue.consume(delivered, no_ack=True)
    latencies = []
    start = read_clocks()
    for i in range(-o.warmup, o.messages):
        if i == 0:
            start = read_clocks()
        arrived.clear()
        sent = time.perf_counter()
        await exchange.publish(one, o.routing_key, mandatory=False)
        await arrived.wait()
        if i >= 0:
            latencies.append(time.perf_counter() - sent)
    report(CLIENT, o, start, latencies)
    await connection.close()


async def connect(o):
    latencies = []
    start = read_clocks()
    for i in range(-o.warmup, o.messages):
        if i == 0:
            start = read_clocks()
        began = time.perf_counter()
        connection = await open_connection(o)
        channel = await connection.channel(publisher_confirms=False)
        await channel.close()
        await connection.close()
        if i >= 0:
            latencies.append(time.perf_counter() - began)
    report(CLIENT, o, start, latencies)


if __name__ == "__main__":
    options = parse_options()
    asyncio.run({"publish": publish, "publish-confirm": publish, "consume": consume, "consume-ack": consume,
                 "ping-pong": ping_pong, "connect": connect}[options.mode](options))

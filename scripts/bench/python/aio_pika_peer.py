"""The peer on aio-pika: a plain connection, publish awaited one by one, or `window` at a time where each is confirmed."""

import asyncio
import datetime
import time

import aio_pika
from common import (REPLY_TO, check_headers, compute, content_type, headers, is_over, order, parse_options,
                    read_clocks, report, stamp, tls_context, wait_for_turn)

CLIENT = "aio-pika"


async def open_connection(o):
    return await aio_pika.connect(o.uri, ssl_context=tls_context(o) if o.tls else None)


def message(o, body=None, number=0, **more):
    return aio_pika.Message(b"x" * o.size if body is None else body, content_type=content_type(o),
                            delivery_mode=2 if o.persistent else 1, headers=headers(o, number),
                            timestamp=datetime.datetime.now(datetime.timezone.utc), **more)


def declare(channel, o, passive=False, queue=None):
    return channel.declare_queue(queue or o.queue, passive=passive, auto_delete=True)


async def exchange_on(channel, name):
    return await channel.get_exchange(name, ensure=False) if name else channel.default_exchange


async def delete(queue):
    await queue.delete(if_unused=False, if_empty=False)


async def publish(o):
    """Also what is encoded, and what says when it was published."""
    confirms = o.mode == "publish-confirm"
    connection = await open_connection(o)
    channels = [await connection.channel(publisher_confirms=confirms) for _ in range(o.channels)]
    exchanges = [await exchange_on(channel, o.exchange) for channel in channels]
    queue = await declare(channels[0], o)
    fixed = message(o)

    def made(i, start):
        if o.mode == "codable":
            return message(o, order(i))
        if o.mode == "delay" and start:
            return message(o, stamp(o))
        return message(o, number=i) if o.headers else fixed

    async def run(count, start=None):
        done, over = 0, False

        async def one(i):
            nonlocal done, over
            if start and o.rate:
                await asyncio.sleep(wait_for_turn(o, start, i))
            await exchanges[i % len(exchanges)].publish(made(i, start), o.routing_key, mandatory=False)
            if o.work_steps:
                compute(o.work_steps)
            done += 1
            over = over or bool(start) and is_over(o, start, done)

        if confirms:
            left = iter(range(count))

            async def worker():
                for i in left:
                    await one(i)
                    if over:
                        break

            await asyncio.gather(*(worker() for _ in range(min(o.window, count))))
        else:
            for i in range(count):
                await one(i)
                if over:
                    break
            for channel in channels:
                await declare(channel, o, passive=True)
        return done

    await run(o.warmup)
    start = read_clocks()
    count = await run(o.messages, start)
    end, delays = read_clocks(), None
    if o.mode == "codable":
        o.size = len(order(count))
    elif o.mode == "delay":
        delays = {}
        for name, part in (("p50", 500), ("p99", 990), ("p999", 999), ("max", 1000)):
            found = await declare(channels[0], o, True, f"null.delay.{part}")
            delays[name] = found.declaration_result.message_count / 1000
    report(CLIENT, o, start, count, delays=delays, end=end)
    await delete(queue)
    await connection.close()


async def fill(channel, queue, o, needed):
    fixed = message(o)
    for i in range(queue.declaration_result.message_count, needed):
        one = message(o, number=i) if o.headers else fixed
        await channel.default_exchange.publish(one, o.queue, mandatory=False)
    await declare(channel, o, passive=True)


async def consume(o):
    acks = o.mode != "consume"
    connection = await open_connection(o)
    channels = [await connection.channel(publisher_confirms=False) for _ in range(o.channels)]
    needed = o.warmup + o.messages
    queues = [await declare(channel, o) for channel in channels]
    await fill(channels[0], queues[0], o, needed)
    count = 0
    start = read_clocks()
    done = asyncio.Event()

    async def delivered(received):
        nonlocal count, start
        if done.is_set():  # more than needed may come
            return
        if len(received.body) != o.size:
            raise SystemExit(f"a body of {len(received.body)} bytes")
        if o.read_headers:
            check_headers(received.headers)
        if o.work_steps:
            compute(o.work_steps)
        if acks:
            await received.ack()
        count += 1
        if count == needed or count > o.warmup and is_over(o, start, count - o.warmup):
            if not done.is_set():  # another may have ended it during the acknowledgement
                report(CLIENT, o, start, count - o.warmup)
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


async def timed(o, call):
    """Calls over and over, in --tasks tasks, and reports how long each took."""
    async def run(count, start=None):
        latencies = []
        left = iter(range(count))

        async def task():
            for i in left:
                if start and is_over(o, start, i):
                    return
                began = time.perf_counter()
                await call()
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(task() for _ in range(min(o.tasks, max(1, count)))))
        return latencies

    await run(o.warmup)
    start = read_clocks()
    latencies = await run(o.messages, start)
    report(CLIENT, o, start, len(latencies), latencies)


async def ping_pong(o):
    connection = await open_connection(o)
    channel = await connection.channel(publisher_confirms=False)
    queue = await declare(channel, o)
    exchange = await exchange_on(channel, o.exchange)
    one = message(o)
    arrived = asyncio.Event()

    async def delivered(_):
        arrived.set()

    async def call():
        arrived.clear()
        await exchange.publish(one, o.routing_key, mandatory=False)
        await arrived.wait()

    await queue.consume(delivered, no_ack=True)
    o.tasks = 1
    await timed(o, call)
    await connection.close()


async def confirm(o):
    connection = await open_connection(o)
    channel = await connection.channel(publisher_confirms=True)
    exchange = await exchange_on(channel, o.exchange)
    queue = await declare(channel, o)
    one = message(o)
    await timed(o, lambda: exchange.publish(one, o.routing_key, mandatory=False))
    await delete(queue)
    await connection.close()


async def get(o):
    connection = await open_connection(o)
    channel = await connection.channel(publisher_confirms=False)
    queue = await declare(channel, o)
    await fill(channel, queue, o, o.warmup + o.messages)

    async def call():
        received = await queue.get()
        await received.ack()

    o.tasks = 1
    await timed(o, call)
    await delete(queue)
    await connection.close()


async def declare_passively(o):
    connection = await open_connection(o)
    channel = await connection.channel(publisher_confirms=False)
    queue = await declare(channel, o)
    o.tasks = 1
    await timed(o, lambda: declare(channel, o, passive=True))
    await delete(queue)
    await connection.close()


async def rpc(o):
    """By hand: a channel serves, another calls, and the reply comes directly."""
    connection = await open_connection(o)
    server, client = [await connection.channel(publisher_confirms=False) for _ in range(2)]
    queue = await declare(server, o)
    waiting, last = {}, 0

    async def serve(request):
        reply = message(o, request.body, correlation_id=request.correlation_id)
        await server.default_exchange.publish(reply, request.reply_to, mandatory=False)
        await request.ack()

    async def replied(reply):
        waiting.pop(reply.correlation_id).set_result(reply.body)

    async def call():
        nonlocal last
        last += 1
        name = str(last)
        waiting[name] = asyncio.get_running_loop().create_future()
        request = message(o, reply_to=REPLY_TO, correlation_id=name)
        future = waiting[name]
        await client.default_exchange.publish(request, o.queue, mandatory=False)
        if len(await future) != o.size:
            raise SystemExit("a reply is not what was sent")

    await queue.consume(serve)
    replies = await client.get_queue(REPLY_TO, ensure=False)
    await replies.consume(replied, no_ack=True)
    await timed(o, call)
    await connection.close()


async def connect(o):
    async def call():
        connection = await open_connection(o)
        channel = await connection.channel(publisher_confirms=False)
        await channel.close()
        await connection.close()

    o.tasks = 1
    await timed(o, call)


async def idle(o):
    connection = await open_connection(o)
    await connection.channel(publisher_confirms=False)
    seconds = max(1, int(o.seconds or 3))
    await asyncio.sleep(1)
    start = read_clocks()
    await asyncio.sleep(seconds)
    report(CLIENT, o, start, seconds)
    await connection.close()


if __name__ == "__main__":
    options = parse_options()
    ways = {"publish": publish, "codable": publish, "delay": publish, "publish-confirm": publish, "consume": consume,
            "consume-ack": consume, "handle": consume, "ping-pong": ping_pong, "confirm": confirm, "get": get,
            "declare": declare_passively, "rpc": rpc, "connect": connect, "idle": idle}
    asyncio.run(ways[options.way](options))

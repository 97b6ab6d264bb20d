"""What ChaosProbe's `traffic` does, on aio-pika's own recovery: connect_robust, which tries again every 10 ms.

A publish that fails is repeated 5 ms later, as an application must: aio-pika keeps nothing that was not confirmed.
"""

import argparse
import asyncio
import logging
import ssl
import time

import aio_pika


def now():
    return time.time_ns() // 1000


async def main(o):
    logging.disable(logging.CRITICAL)
    record = open(o.record, "w", buffering=1 << 16)
    confirmed, delivered = bytearray(o.messages), bytearray(o.messages)
    context = ssl.create_default_context(cafile=o.ca) if o.ca else None

    async def connect():
        return await aio_pika.connect_robust(o.uri, ssl_context=context, reconnect_interval=0.01)

    consuming, publishing = await connect(), await connect()

    async def delivered_one(message):
        number = int(message.body[:10])
        record.write(f"d {number} {now()} {int(message.redelivered)}\n")
        delivered[number] = 1
        try:
            await message.ack()
        except Exception as error:  # from before the loss
            record.write(f"v {now()} consumers stale {type(error).__name__}\n")

    for _ in range(o.consumers):
        channel = await consuming.channel()
        await channel.set_qos(prefetch_count=o.prefetch)
        await (await channel.declare_queue(o.queue, durable=True)).consume(delivered_one)

    start = time.monotonic()

    async def publish(publisher):
        channel = await publishing.channel(publisher_confirms=True)
        for number in range(publisher, o.messages, o.publishers):
            await asyncio.sleep(max(0, start + number / o.rate - time.monotonic()) if o.rate else 0)
            published = now()
            message = aio_pika.Message(b"%010d" % number + b"x" * 90, delivery_mode=2)
            while True:
                try:
                    await channel.default_exchange.publish(message, o.queue, timeout=60)
                    break
                except Exception as error:
                    record.write(f"v {now()} publishers failed {type(error).__name__}\n")
                    await asyncio.sleep(0.005)
            record.write(f"c {number} {published} {now()}\n")
            confirmed[number] = 1

    async def flush():
        while True:
            record.flush()
            await asyncio.sleep(0.02)

    flushing = asyncio.create_task(flush())
    print("ready", flush=True)
    await asyncio.gather(*(publish(publisher) for publisher in range(o.publishers)))
    end = time.monotonic() + 60
    while sum(delivered) < o.messages and time.monotonic() < end:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    flushing.cancel()
    record.close()
    print("done", flush=True)
    await asyncio.wait([asyncio.create_task(each.close()) for each in (consuming, publishing)], timeout=5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("uri", "queue", "record", "ca"):
        parser.add_argument(f"--{name}")
    for name, value in dict(messages=1000, rate=0, publishers=4, consumers=2, prefetch=100, window=1000).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("mode")
    asyncio.run(main(parser.parse_args()))

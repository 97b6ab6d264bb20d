internal import Histogram
internal import RabbitMQ

/// Publishes one message and waits until it is delivered, again and again.
struct PingPongMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        let connection = try await Connection.connect(try options.configuration())
        let channel = try await connection.openChannel()
        let queue = try await PerfQueue.declare(options, on: channel)
        let exchange = try await channel.declareExchange("")
        let body = [UInt8](repeating: 0x78, count: options.size)
        var deliveries = try await queue.consume(noAck: true).makeAsyncIterator()
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        let warmup = min(options.warmup, 1000)
        var meter = Meter()
        for number in 0..<(warmup + options.messages) {
            if number == warmup { meter = Meter() }
            let start = ContinuousClock.now
            try await exchange.publish(Message(body: body, deliveryMode: .transient), routingKey: queue.name)
            guard try await deliveries.next() != nil else { break }
            if number >= warmup { histogram.record(UInt64((ContinuousClock.now - start) / .nanoseconds(1))) }
            progress.add(1)
        }
        let usage = meter.read()
        await connection.close()
        return PerfResult(usage: usage, latencies: histogram)
    }
}

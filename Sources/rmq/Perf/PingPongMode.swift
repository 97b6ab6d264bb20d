#if Tool
internal import Histogram
internal import RabbitMQ

/// Publishes one message and waits until it is delivered, again and again.
struct PingPongMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let queue = session.queue.queue
            let exchange = try await session.channels[0].declareExchange("")
            let (body, mode) = ([UInt8](repeating: 0x78, count: options.size), options.deliveryMode)
            var deliveries = try await queue.consume(.noAck).makeAsyncIterator()
            var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
            let warmup = min(options.warmup, 1000)
            var (meter, deadline) = (Meter(), options.deadline)
            for number in 0..<(warmup + options.messages) {
                if number == warmup { (meter, deadline) = (Meter(), options.deadline) }
                let start = ContinuousClock.now
                if number > warmup, let deadline, start >= deadline { break }
                try await exchange.publish(Message(body: body, deliveryMode: mode), routingKey: queue.name)
                guard try await deliveries.next() != nil else { throw CancellationError() }
                if number >= warmup { histogram.record(UInt64((ContinuousClock.now - start) / .nanoseconds(1))) }
                progress.add(1)
            }
            return PerfResult(usage: meter.read(), messages: Int(histogram.totalCount), latencies: histogram)
        }
    }
}
#endif

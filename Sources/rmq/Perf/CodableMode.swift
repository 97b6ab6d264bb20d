#if Tool
internal import Foundation
internal import RabbitMQ

/// Encodes a small value for each message, and publishes it. Beside that, what Foundation's coding takes by itself, and what
/// making a message of a value and decoding it take.
struct CodableMode {
    let options: PerfOptions
    let progress: Progress

    private struct Order: Codable {
        var id: Int
        var item = "Assam, second flush"
        var price = 17.25
        var isPaid = true
    }

    /// Microseconds of CPU for each value.
    struct Cost: Encodable {
        let encodeAlone: Double
        /// To a message.
        let encode: Double
        let decodeAlone: Double
        /// From a message.
        let decode: Double
    }

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let key = try await session.queue.routingKey(options)
            let exchange = try await session.channels[0].declareExchange(options.place.exchange, passive: true)
            _ = try await publish(options.warmup, to: exchange, key)
            let meter = Meter()
            let count = try await publish(options.messages, until: options.deadline, to: exchange, key)
            let usage = meter.read()
            let body = try JSONEncoder().encode(Order(id: 1))
            return PerfResult(usage: usage, messages: count, size: body.count, coding: try coding(body))
        }
    }

    /// - Returns: How many were published before the deadline.
    private func publish(
        _ count: Int,
        until deadline: ContinuousClock.Instant? = nil,
        to exchange: Exchange,
        _ key: String
    ) async throws -> Int {
        let (stride, mode) = (options.stride, options.deliveryMode)
        var done = 0
        for number in 0..<count {
            let message = try Message(encoding: Order(id: number), deliveryMode: mode)
            try await exchange.publish(message, routingKey: key, mandatory: false)
            done += 1
            guard done & (stride - 1) == 0 else { continue }
            progress.add(stride)
            if let deadline, ContinuousClock.now >= deadline { break }
        }
        // The broker answers when it has taken all that was sent before.
        try await exchange.channel.setQos(prefetchCount: 0)
        return done
    }

    private func coding(_ body: Data) throws -> Cost {
        let (encoder, decoder, message) = (JSONEncoder(), JSONDecoder(), Message(body: body))
        let encoding = try costs(
            { _ = try encoder.encode(Order(id: $0)) },
            { _ = try Message(encoding: Order(id: $0), deliveryMode: .transient) }
        )
        let decoding = try costs(
            { _ in _ = try decoder.decode(Order.self, from: body) },
            { _ in _ = try message.decode(Order.self) }
        )
        return Cost(
            encodeAlone: encoding.alone,
            encode: encoding.whole,
            decodeAlone: decoding.alone,
            decode: decoding.whole
        )
    }

    /// What each of two takes that are done by turns, so that what slows the machine down for a while slows both; the first
    /// turn is not counted.
    private func costs(
        _ alone: (Int) throws -> Void,
        _ whole: (Int) throws -> Void
    ) rethrows -> (alone: Double, whole: Double) {
        let (turns, count) = (50, max(1, min(options.messages, 200_000) / 50))
        var sums = (alone: 0.0, whole: 0.0)
        for turn in 0...turns {
            let took = (alone: try seconds(alone, count), whole: try seconds(whole, count))
            guard turn > 0 else { continue }
            sums.alone += took.alone
            sums.whole += took.whole
        }
        let each = 1e6 / Double(turns * count)
        return (sums.alone * each, sums.whole * each)
    }

    private func seconds(_ work: (Int) throws -> Void, _ count: Int) rethrows -> Double {
        let start = Meter.threadSeconds
        for number in 0..<count { try work(number) }
        progress.giveSign()
        return Meter.threadSeconds - start
    }
}
#endif

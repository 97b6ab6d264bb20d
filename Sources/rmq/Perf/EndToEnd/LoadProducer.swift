#if Tool
internal import RabbitMQ

/// One of those who publish in a run, each message with the time at which it was sent.
struct LoadProducer: Sendable {
    let index: Int
    let channel: Channel
    let key: String
    let options: PerfOptions
    let tally: Tally
    let progress: Progress

    /// Publishes its share of so many messages, with nobody's time in them.
    func warmUp(_ total: Int) async throws {
        try await publish(total, by: LoadPace(ramp: nil, start: .now, end: nil)) { tally.stamp.warmUp }
    }

    /// Publishes its share of so many messages, or of those that are due before the end.
    func run(_ total: Int, by pace: LoadPace) async throws {
        try await publish(total, by: pace) {
            tally.countPublished()
            return tally.stamp.text(tally.now)
        }
    }

    private func publish(_ total: Int, by pace: LoadPace, stamp: () -> String) async throws {
        let exchange = channel.defaultExchange
        let (mix, mode) = (options.sizeMix, options.deliveryMode)
        let largest = [UInt8](repeating: 0x78, count: mix.largest)
        var generator = SplitMix(seed: index)
        var pace = pace
        for number in stride(from: index, to: total, by: options.load.producers) {
            guard try await pace.wait(for: number, progress) else { break }
            let size = mix.size(using: &generator)
            let body = size == largest.count ? largest : Array(largest.prefix(size))
            let message = Message(body: body, deliveryMode: mode, messageID: stamp())
            try await exchange.publish(message, routingKey: key, mandatory: false)
            progress.giveSign()
        }
        try await channel.waitForConfirms()
    }
}

/// When a message was sent, as it stands in its message ID: short enough to cost no memory.
struct LoadStamp: Sendable {
    /// With what those of this run begin: messages that another one has left in the queue would be counted for its own.
    let warmUp = "@" + String(Int.random(in: 1296..<46656), radix: 36)

    func text(_ time: UInt64) -> String { warmUp + String(time, radix: 36) }

    /// - Returns: nil if it is somebody else's message.
    func time(_ text: String) -> UInt64? {
        text.hasPrefix(warmUp) ? UInt64(text.dropFirst(warmUp.count), radix: 36) : nil
    }
}

/// When messages are due.
struct LoadPace: Sendable {
    /// nil for as fast as it goes.
    let ramp: Ramp?
    let start: ContinuousClock.Instant
    let end: ContinuousClock.Instant?
    private var lag = Duration.zero

    init(ramp: Ramp?, start: ContinuousClock.Instant, end: ContinuousClock.Instant?) {
        self.ramp = ramp
        self.start = start
        self.end = end
    }

    /// Waits until a message is due.
    ///
    /// - Returns: Whether it is, before the end.
    mutating func wait(for number: Int, _ progress: Progress) async throws -> Bool {
        try Task.checkCancellation()
        guard let ramp else { return end.map { ContinuousClock.now < $0 } ?? true }
        guard let seconds = ramp.time(of: number) else { return false }
        var due = start + lag + .seconds(seconds)
        // What was missed is not made up for in a burst.
        let earliest = ContinuousClock.now - .milliseconds(100)
        if due < earliest {
            lag += earliest - due
            due = earliest
        }
        let isInTime = end.map { due < $0 } ?? true
        let target = isInTime ? due : end ?? due
        while true {
            let rest = target - .now
            guard rest > .zero else { return isInTime }
            try await Task.sleep(for: min(rest, .milliseconds(100)))
            // That nothing is due is no hang.
            progress.giveSign()
        }
    }
}
#endif

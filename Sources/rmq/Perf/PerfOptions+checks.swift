#if Tool
internal import ArgumentParser

extension PerfOptions {
    /// The largest message that RabbitMQ can be configured to take.
    static let largestMessage = 512 * 1024 * 1024

    /// Refuses numbers that can't be meant, before anything is connected.
    func validate() throws {
        for (name, value, range) in [
            ("messages", messages, 1...1_000_000_000_000), ("size", size, 0...Self.largestMessage),
            ("channels", channels, 1...65_535), ("connections", connections, 1...10_000),
            ("consumers", consumers, 1...100_000), ("window", window, 1...1_000_000_000),
            ("tasks", tasks, 1...100_000), ("warmup", warmup, 0...1_000_000_000_000), ("headers", headers, 0...4_000),
        ] where !range.contains(value) {
            throw ValidationError("--\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound).")
        }
        if let seconds, !(0.01...1_000_000).contains(seconds) {
            throw ValidationError("--seconds is \(seconds); it must be from 0.01 to 1000000.")
        }
        guard hangAfter.duration >= .milliseconds(100) else { throw ValidationError("--hang-after is below 100ms.") }
        // A channel that has nothing to do for long looks as if it hung.
        let longest = min(10, hangAfter.duration / .seconds(2))
        let slowest = max(1, Double(channels * connections) / longest)
        if let rate, !(rate >= slowest && rate <= 100_000_000) {
            throw ValidationError("--rate is \(rate); it must be from \(slowest) to 100000000.")
        }
        guard (0...1_000_000).contains(work) else {
            throw ValidationError("--work is \(work); it must be from 0 to 1000000.")
        }
        guard headers > 0 || !readHeaders else { throw ValidationError("--read-headers needs --headers.") }
        guard channels * connections <= 1_000_000 else {
            throw ValidationError("--connections and --channels make \(channels * connections) channels: too many.")
        }
        _ = try configuration()
    }

    /// Refuses what a mode can't do, and what would touch others' queues without being asked for twice.
    func validate(for mode: Perf.Mode) throws {
        let isPublishing = [.publish, .publishConfirm, .confirm, .codable, .delay].contains(mode)
        guard isPublishing || (place.exchange.isEmpty && place.routingKey == nil) else {
            throw ValidationError(
                "--exchange and --routing-key are for publishing; \(mode.rawValue) uses its queue's name."
            )
        }
        try validateMeaning(in: mode)
        guard mode != .delay || size >= DelayMode.leastSize else {
            throw ValidationError("--size is \(size); with delay it must be at least \(DelayMode.leastSize).")
        }
        if mode == .endToEnd { try validateLoad() }
        guard mode != .idle || hangAfter.duration >= .seconds(2) else {
            throw ValidationError(
                "--hang-after is \(hangAfter); idle gives a sign of life each second, so 2s are the least."
            )
        }
        if place.useExisting {
            guard let queue = place.queue else { throw ValidationError("--use-existing needs a --queue that exists.") }
            guard mode != .endToEnd || (place.leaveMessages && place.eatMessages) else {
                throw ValidationError(
                    "Messages would be put into the queue \(queue), and others taken: if they may be, add "
                        + "--leave-messages and --eat-messages."
                )
            }
            let mayTouch = isPublishing ? place.leaveMessages : place.eatMessages
            guard mayTouch || [.connect, .idle, .declare].contains(mode) else {
                throw ValidationError(
                    isPublishing
                        ? "Messages would stay in the queue \(queue): if they may, add --leave-messages."
                        : "The queue \(queue) would be filled up, and its messages taken: if they may be, add --eat-messages."
                )
            }
        }
        if place.queueType == .stream {
            let reads = [.consume, .consumeAck, .handle, .pingPong, .get, .rpc].contains(mode)
            guard !reads else { throw ValidationError("\(mode.rawValue) can't be measured with a stream.") }
        }
        guard place.exchange.isEmpty || place.leaveMessages else {
            throw ValidationError(
                "Messages would stay wherever the exchange \(place.exchange) routes them: if they may, "
                    + "add --leave-messages."
            )
        }
    }

    /// Refuses options that a mode passes over: one would take its figures for something that they are not. Those that
    /// the benchmark gives each client in each mode, which are --messages, --seconds, --size, --warmup and --queue, are
    /// let through, and --window and --prefetch as they are by default.
    private func validateMeaning(in mode: Perf.Mode) throws {
        func refuse(_ name: String, if isGiven: Bool, butIn modes: [Perf.Mode]) throws {
            guard isGiven, !modes.contains(mode) else { return }
            var list = modes.map(\.rawValue)
            let last = list.removeLast()
            let names = list.isEmpty ? last : "\(list.joined(separator: ", ")) and \(last)"
            throw ValidationError("--\(name) is for \(names).")
        }
        let publishing: [Perf.Mode] = [.publish, .publishConfirm]
        let consuming: [Perf.Mode] = [.consume, .consumeAck, .handle]
        let calling: [Perf.Mode] = [.confirm, .rpc, .declare, .handle]
        let usingQueues = Perf.Mode.allCases.filter { $0 != .connect }
        try refuse("rate", if: rate != nil, butIn: publishing + [.endToEnd])
        try refuse("one-at-a-time", if: oneAtATime, butIn: [.publishConfirm])
        try refuse("tasks", if: tasks != 1, butIn: oneAtATime ? calling + [.publishConfirm] : calling)
        try refuse("work", if: work != 0, butIn: publishing + consuming + [.delay])
        try refuse("headers", if: headers != 0, butIn: publishing + consuming + [.get])
        try refuse("read-headers", if: readHeaders, butIn: consuming)
        try refuse("channels", if: channels != 1, butIn: publishing + consuming)
        try refuse("connections", if: connections != 1, butIn: publishing + consuming + [.idle, .endToEnd])
        try refuse("consumers", if: consumers != 1, butIn: consuming + [.endToEnd])
        let others: [Perf.Mode] = [.pingPong, .confirm, .get, .codable, .endToEnd, .delay]
        try refuse("persistent", if: persistent, butIn: publishing + consuming + others)
        try refuse("window", if: window != Self.usualWindow, butIn: [.publishConfirm, .confirm, .endToEnd])
        try refuse("prefetch", if: prefetch != Self.usualPrefetch, butIn: [.consumeAck, .handle, .endToEnd])
        try refuse("queue-type", if: place.queueType != .classic, butIn: usingQueues)
        try refuse("use-existing", if: place.useExisting, butIn: usingQueues)
        try refuse("producers", if: load.producers != 1, butIn: [.endToEnd])
        try refuse("ramp", if: load.ramp != nil, butIn: [.endToEnd])
        try refuse("sizes", if: load.sizes != nil, butIn: [.endToEnd])
        try refuse("chart", if: load.chart != nil, butIn: [.endToEnd])
        let isPlain = rate == nil && work == 0 && headers == 0 && channels == 1 && connections == 1
        guard !oneAtATime || isPlain else {
            throw ValidationError(
                "--one-at-a-time goes with none of --rate, --work, --headers, --channels and --connections."
            )
        }
    }

    private func validateLoad() throws {
        guard rate == nil || load.ramp == nil else { throw ValidationError("--rate and --ramp exclude each other.") }
        guard size == Self.usualSize || load.sizes == nil else {
            throw ValidationError("--size and --sizes exclude each other.")
        }
        guard place.queueType != .stream || prefetch > 0 else {
            throw ValidationError("--prefetch is 0; a stream is consumed with one.")
        }
    }
}
#endif

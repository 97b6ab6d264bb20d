internal import Synchronization

extension Publisher {
    /// Publishes a message, and returns once the broker has confirmed it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - exchange: The name of the exchange; empty for the default exchange.
    ///   - routingKey: By what the exchange routes it; with the default exchange, the name of the queue.
    ///   - mandatory: Whether it is a failure if it reaches no queue; true by default.
    ///   - timeout: How long it may take, all waits and repetitions included; if nil, what
    ///     ``withCallTimeout(_:isolation:_:)`` gives, or else ``Options/timeout``.
    /// - Throws: The message's one outcome, unless it was confirmed: ``AMQPError/Code/undeliverable`` if it reached no queue;
    ///   ``AMQPError/Code/nacked`` if the broker refused it; ``AMQPError/Code/outcomeUnknown`` if it may have it or not;
    ///   ``AMQPError/Code/timedOut`` if it has not said, so that it may still have it; ``AMQPError/Code/blockedTooLong``,
    ///   ``AMQPError/Code/invalidMessage`` or the reason why the connection has ended, when nothing was sent;
    ///   ``AMQPError/Code/channelClosed`` after ``close(within:)``; ``AMQPError/Code/notFound`` if there is no such exchange;
    ///   `CancellationError`, after which the broker may have it or not.
    public func publish(
        _ message: Message,
        to exchange: String = "",
        routingKey: String,
        mandatory: Bool = true,
        timeout: Duration? = nil
    ) async throws {
        let timeout = timeout ?? CallTimeout.current ?? options.timeout
        guard let recorder = durationRecorder(exchange) else {
            return try await publish(message, exchange, routingKey, mandatory, within: timeout, after: nil)
        }
        try await recorder.timing {
            try await publish(message, exchange, routingKey, mandatory, within: timeout, after: nil)
        }
    }

    /// What takes how long publishes to an exchange take; mostly nothing.
    func durationRecorder(_ exchange: String) -> DurationRecorder? {
        guard let meter = channel.core.connection.configuration.meter else { return nil }
        // Most publish to one exchange, for which nothing is looked up again.
        if let first = firstDurations.load() {
            return first.exchange == exchange ? first.recorder : meter.publishing(to: exchange)
        }
        let durations = ExchangeDurations(exchange, meter)
        _ = firstDurations.storeIfNil(durations)
        return durations.recorder
    }

    /// - Parameters:
    ///   - last: What has become of it before, when it was published already.
    ///   - pausesFirst: Whether to wait before it is published again then.
    func publish(
        _ message: Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool,
        within timeout: Duration,
        after last: AMQPError?,
        pausesFirst: Bool = true
    ) async throws {
        let ticket: ActivePublishers.Ticket
        do { ticket = try enter() } catch { throw last ?? error }
        defer { leave(ticket) }
        let start = MonotonicTime.now
        var (refusals, schedule) = (last?.code == .nacked ? 1 : 0, Self.schedule)
        var unknown = last?.code == .outcomeUnknown ? last : nil
        var refusal = last?.code == .nacked ? last : nil
        var left = timeout
        if let last {
            let pause = schedule.next(.random(in: 0.5...1))
            if pausesFirst { try await DeadlineTimer.shared.sleep(for: min(left, pause)) }
            left = timeout.left(since: start)
            // As after the pauses below.
            guard left > .zero else { throw last }
        }
        while true {
            let receipt: PublishReceipt
            var other: Channel?
            do {
                if refusals > 0,
                    let spared = try await spare.handOver(
                        Publish(message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory),
                        refusals: refusals,
                        within: left
                    )
                {
                    (receipt, other) = spared
                } else {
                    if refusals > 0 { left = timeout.left(since: start) }
                    // As after the pauses below: the other channel may have taken all of it to open.
                    if left == .zero, let refusal { throw refusal }
                    receipt = try await handOver(message, exchange, routingKey, mandatory, within: left)
                }
            } catch let error as AMQPError {
                // That nothing was sent this time says nothing of the time before, which the broker may have: what it
                // refuses too, in some of several queues.
                throw unknown ?? refusal ?? error
            }
            do {
                return try await receipt.confirmed(timeout: timeout.left(since: start))
            } catch let error as AMQPError {
                left = timeout.left(since: start)
                if let other { spare.heard(error, from: other) }
                // Nor does a refusal of this time, after which one publishes again. What misses its exchange or queue says so.
                guard left > .zero, takesAgain(error, refusals) else {
                    throw error.code == .nacked ? unknown ?? error : error
                }
                if error.code == .nacked {
                    refusals += 1
                    refusal = error
                } else {
                    unknown = error
                }
                try await DeadlineTimer.shared.sleep(for: min(left, schedule.next(.random(in: 0.5...1))))
                left = timeout.left(since: start)
                // What is published now could not be answered: nobody would know whether the broker has it.
                guard left > .zero else { throw unknown ?? error }
            }
        }
    }

    /// Hands a message over to be sent, and returns its outcome to wait for, now or later.
    ///
    /// Mostly there is nothing to wait for: then this costs no more than publishing on a confirming channel does. What is
    /// published again because of a lost connection keeps its receipt. What the broker refuses is not published again here, nor
    /// what has no outcome because the broker has closed the channel over another message.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - exchange: The name of the exchange; empty for the default exchange.
    ///   - routingKey: By what the exchange routes it; with the default exchange, the name of the queue.
    ///   - mandatory: Whether it is a failure if it reaches no queue; true by default.
    /// - Returns: The outcome to wait for. A failure that nobody looks at is logged as an error.
    /// - Throws: Why nothing was sent: as ``publish(_:to:routingKey:mandatory:timeout:)``.
    public func send(
        _ message: Message,
        to exchange: String = "",
        routingKey: String,
        mandatory: Bool = true
    ) async throws -> PublishReceipt {
        if isClosing.load(ordering: .relaxed) { throw Self.closed }
        if let receipt = try publishAtOnce(message, exchange, routingKey, mandatory) { return receipt }
        return try await send(message, exchange, routingKey, mandatory, within: nil)
    }

    /// - Parameter timeout: How long it may take to hand it over; if nil, the configuration's `publishTimeout`.
    func send(
        _ message: Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool,
        within timeout: Duration?
    ) async throws -> PublishReceipt {
        let ticket = try enter()
        defer { leave(ticket) }
        return try await handOver(message, exchange, routingKey, mandatory, within: timeout)
    }

    func publishAtOnce(
        _ message: borrowing Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool
    ) throws(AMQPError) -> PublishReceipt? {
        try channel.core.port.publishAtOnce(message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
    }

    /// Hands a message over, on a channel that is opened again if it has to be.
    ///
    /// - Parameter timeout: How long that may take; if nil, the configuration's `publishTimeout`.
    private func handOver(
        _ message: Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool,
        within timeout: Duration?
    ) async throws -> PublishReceipt {
        if let receipt = try publishAtOnce(message, exchange, routingKey, mandatory) { return receipt }
        let start = MonotonicTime.now
        let timeout = timeout ?? channel.core.connection.configuration.timeoutOfPublish
        var left = timeout
        let publish = Publish(message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
        while true {
            try Task.checkCancellation()
            do {
                return try await CallTimeout.$current.withValue(left) { try await channel.core.publish(publish) }
            } catch let error as AMQPError {
                // What throws has sent nothing. The broker closes a channel over one message, and all others have to go on.
                left = timeout.left(since: start)
                guard hasEnded(error), left > .zero else { throw error }
                try await reopen(within: left)
                left = timeout.left(since: start)
            }
        }
    }

    // MARK: Who publishes

    private func enter() throws(AMQPError) -> ActivePublishers.Ticket {
        let ticket = state.withLock { isClosing.load(ordering: .relaxed) ? nil : $0.active.enter() }
        guard let ticket else { throw Self.closed }
        return ticket
    }

    private func leave(_ ticket: ActivePublishers.Ticket) {
        for waiter in state.withLock({ $0.active.leave(ticket) }) { waiter.succeed(()) }
    }

    func takesAgain(_ error: AMQPError, _ refusals: Int) -> Bool {
        switch error.code {
        case .nacked: refusals < options.nackedAgain
        // That of a lost connection has been published again before anybody heard of it, as long as there was another one.
        case .outcomeUnknown: options.unknown == .publishAgain && closeReason == nil
        default: false
        }
    }

    /// From 50 ms up to 2 s, of which the random number leaves out up to a half.
    private static var schedule: RecoverySchedule {
        var policy = RecoveryPolicy()
        policy.firstDelay = .milliseconds(50)
        policy.maxDelay = .seconds(2)
        return RecoverySchedule(policy)
    }
}

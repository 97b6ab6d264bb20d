internal import Synchronization

extension Publisher {
    /// Publishes a message, and returns once the broker has confirmed it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - exchange: The name of the exchange; empty for the default exchange.
    ///   - routingKey: By what the exchange routes it; with the default exchange, the name of the queue.
    ///   - mandatory: Whether it is a failure if it reaches no queue; true by default.
    ///   - timeout: How long it may take, all waits and repetitions included; what the options say by default.
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
        let ticket = try enter()
        defer { leave(ticket) }
        let (start, timeout) = (MonotonicTime.now, timeout ?? options.timeout)
        var (refusals, schedule) = (0, Self.schedule)
        while true {
            let receipt = try await handOver(message, exchange, routingKey, mandatory)
            do {
                return try await receipt.confirmed(timeout: timeout.left(since: start))
            } catch let error as AMQPError {
                let left = timeout.left(since: start)
                guard left > .zero, takesAgain(error, refusals) else { throw error }
                if error.code == .nacked { refusals += 1 }
                try await DeadlineTimer.shared.sleep(for: min(left, schedule.next(.random(in: 0.5...1))))
            }
        }
    }

    /// Publishes messages one after the other, without waiting for the confirm of each, and returns the outcomes of all.
    ///
    /// - Parameters:
    ///   - messages: What to publish.
    ///   - exchange: The name of the exchange; empty for the default exchange.
    ///   - routingKey: By what the exchange routes them.
    ///   - mandatory: Whether it is a failure if one reaches no queue; true by default.
    ///   - timeout: How long all of it may take; what the options say by default.
    /// - Returns: The outcome of each message, in order: a failure is what
    ///   ``publish(_:to:routingKey:mandatory:timeout:)`` throws. Those behind one that could not be handed over have its error:
    ///   they were not published.
    public func publish(
        contentsOf messages: some Sequence<Message>,
        to exchange: String = "",
        routingKey: String,
        mandatory: Bool = true,
        timeout: Duration? = nil
    ) async -> [Result<Void, any Error>] {
        let (start, timeout) = (MonotonicTime.now, timeout ?? options.timeout)
        var receipts: [(message: Message, receipt: Result<PublishReceipt, any Error>)] = []
        var failure: (any Error)?
        for message in messages {
            if let failure {
                receipts.append((message, .failure(failure)))
                continue
            }
            do {
                let receipt = try await send(message, to: exchange, routingKey: routingKey, mandatory: mandatory)
                receipts.append((message, .success(receipt)))
            } catch {
                failure = error
                receipts.append((message, .failure(error)))
            }
        }
        var outcomes: [Result<Void, any Error>] = []
        outcomes.reserveCapacity(receipts.count)
        for (message, receipt) in receipts {
            do {
                try await receipt.get().confirmed(timeout: timeout.left(since: start))
                outcomes.append(.success(()))
            } catch {
                let left = timeout.left(since: start)
                guard let refusal = error as? AMQPError, takesAgain(refusal, 0), left > .zero else {
                    outcomes.append(.failure(error))
                    continue
                }
                do {
                    try await publish(
                        message,
                        to: exchange,
                        routingKey: routingKey,
                        mandatory: mandatory,
                        timeout: left
                    )
                    outcomes.append(.success(()))
                } catch {
                    outcomes.append(.failure(error))
                }
            }
        }
        return outcomes
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
        let ticket = try enter()
        defer { leave(ticket) }
        return try await handOver(message, exchange, routingKey, mandatory)
    }

    private func publishAtOnce(
        _ message: borrowing Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool
    ) throws(AMQPError) -> PublishReceipt? {
        try channel.core.port.publishAtOnce(message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
    }

    /// Hands a message over, on a channel that is opened again if it has to be.
    private func handOver(
        _ message: Message,
        _ exchange: String,
        _ routingKey: String,
        _ mandatory: Bool
    ) async throws -> PublishReceipt {
        if let receipt = try publishAtOnce(message, exchange, routingKey, mandatory) { return receipt }
        let start = MonotonicTime.now
        let publish = Publish(message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
        while true {
            try Task.checkCancellation()
            do {
                return try await channel.core.publish(publish)
            } catch let error as AMQPError {
                // What throws has sent nothing. The broker closes a channel over one message, and all others have to go on.
                let timeout = channel.core.connection.configuration.timeoutOfPublish
                guard error.isChannelFatal, !error.isConnectionFatal, error.code != .channelClosed,
                    timeout.left(since: start) > .zero
                else { throw error }
                try await reopen()
            }
        }
    }

    /// Opens the channel again, once for all who need it, and also if one of them is cancelled.
    private func reopen() async throws {
        let task = state.withLock { state -> Task<Void, any Error> in
            if let reopening = state.reopening { return reopening }
            let reopening = CallTimeout.withNone {
                Task { [channel, weak self] in
                    defer { self?.state.withLock { $0.reopening = nil } }
                    try await channel.reopen()
                }
            }
            state.reopening = reopening
            return reopening
        }
        try await task.value
    }

    // MARK: Who publishes

    private func enter() throws(AMQPError) -> ActivePublishers.Ticket {
        let ticket = state.withLock { $0.isClosing ? nil : $0.active.enter() }
        guard let ticket else { throw Self.closed }
        return ticket
    }

    private func leave(_ ticket: ActivePublishers.Ticket) {
        for waiter in state.withLock({ $0.active.leave(ticket) }) { waiter.succeed(()) }
    }

    private func takesAgain(_ error: AMQPError, _ refusals: Int) -> Bool {
        switch error.code {
        case .nacked: refusals < options.nackedAgain
        // That of a lost connection has been published again before anybody heard of it, as long as there was another one.
        case .outcomeUnknown: options.unknown == .publishAgain && closeReason == nil
        default: false
        }
    }

    /// From 50 ms up to 2 s.
    private static var schedule: RecoverySchedule {
        var policy = RecoveryPolicy()
        policy.firstDelay = .milliseconds(50)
        policy.maxDelay = .seconds(2)
        return RecoverySchedule(policy)
    }
}

internal import Synchronization

extension Publisher {
    /// Publishes messages one after the other, without waiting for the confirm of each, and returns the outcomes of all.
    ///
    /// - Parameters:
    ///   - messages: What to publish.
    ///   - exchange: The name of the exchange; empty for the default exchange.
    ///   - routingKey: By what the exchange routes them.
    ///   - mandatory: Whether it is a failure if one reaches no queue; true by default.
    ///   - timeout: How long all of it may take; if nil, what ``withCallTimeout(_:isolation:_:)`` gives, or else
    ///     ``Options/timeout``.
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
        let (start, timeout) = (MonotonicTime.now, timeout ?? CallTimeout.current ?? options.timeout)
        // Each message by itself; without anybody who takes it, nobody looks at the clock.
        let recorder = durationRecorder(exchange)
        var receipts: [(message: Message, begin: UInt64, receipt: Result<PublishReceipt, any Error>)] = []
        var failure: (any Error)?
        for message in messages {
            if let failure {
                receipts.append((message, start, .failure(failure)))
                continue
            }
            let begin = recorder == nil ? start : MonotonicTime.now
            do {
                if isClosing.load(ordering: .relaxed) { throw Self.closed }
                if let receipt = try publishAtOnce(message, exchange, routingKey, mandatory) {
                    receipts.append((message, begin, .success(receipt)))
                    continue
                }
                let receipt = try await send(
                    message,
                    exchange,
                    routingKey,
                    mandatory,
                    within: timeout.left(since: start)
                )
                receipts.append((message, begin, .success(receipt)))
            } catch {
                failure = error
                // Those behind it are not published, and take no time.
                recorder?.took(since: begin, error)
                receipts.append((message, begin, .failure(error)))
            }
        }
        var outcomes: [Result<Void, any Error>] = []
        outcomes.reserveCapacity(receipts.count)
        // Up to where the failures are known since before the last pause.
        var rested = 0
        for (index, (message, begin, result)) in receipts.enumerated() {
            guard case .success(let receipt) = result else {
                outcomes.append(result.map { _ in })
                continue
            }
            do {
                do {
                    try await receipt.confirmed(timeout: timeout.left(since: start))
                } catch let error as AMQPError where takesAgain(error, 0) && timeout.left(since: start) > .zero {
                    let pauses = index >= rested
                    // One pause does for all that are answered by now: with its own each, a thousand took a minute.
                    if pauses { rested = receipts[index...].firstIndex { $0.receipt.isUnanswered } ?? receipts.count }
                    try await publish(
                        message,
                        exchange,
                        routingKey,
                        mandatory,
                        within: timeout.left(since: start),
                        after: error,
                        pausesFirst: pauses
                    )
                }
                recorder?.took(since: begin, nil)
                outcomes.append(.success(()))
            } catch {
                recorder?.took(since: begin, error)
                outcomes.append(.failure(error))
            }
        }
        return outcomes
    }
}

extension Result<PublishReceipt, any Error> {
    /// Whether it was handed over, and the broker has not said what became of it.
    fileprivate var isUnanswered: Bool {
        if case .success(let receipt) = self { receipt.outcome == nil } else { false }
    }
}

internal import Logging

/// How a consumer calls back.
struct CallbackPlan: Sendable {
    var maxConcurrency = 1
    /// Whether those who watch see the whole call; if not, what it does shows itself.
    var isObserved = true
    /// Settles a message whose callback threw, unless that has settled it. Is told whether it threw only because its
    /// consumer ends.
    var onFailure: @Sendable (IncomingMessage, any Error, _ isOfEnd: Bool) -> Void = { _, _, _ in }
    var onCancel: (@Sendable () -> Void)?
    var onError: (@Sendable (AMQPError) -> Void)?
}

extension Consumer {
    /// Calls the callback for each message until the end, and when all calls have returned, the handler for that end.
    func callBack(_ plan: CallbackPlan) async {
        guard let callback else { return }
        defer { callbacksReturned.set(()) }
        do {
            try await forEachMessage(limit: plan.maxConcurrency) { await self.call(callback, $0, plan) }
            plan.onCancel?()
        } catch AMQPError.Code.consumerCancelled {
            plan.onCancel?()
        } catch let error as AMQPError {
            // Why is logged with the end of its channel or its connection, once for all that ends with it.
            source.session.link.logger.debug(
                "a consumer ended",
                metadata: [LogKey.consumerTag: "\(tag.printable())", LogKey.reason: "\(error)"]
            )
            plan.onError?(error)
        } catch {
            plan.onCancel?()
        }
    }

    /// Runs `body` for each message, at most `limit` at a time, until the end; returns or throws when all have returned.
    /// The first that throws is that end: the others are cancelled.
    ///
    /// A message is taken only when its call can begin. With a limit of 1 they run one after the other.
    ///
    /// - Parameter outer: In whose handler all this is. The children of a task, for which it waits, have to be told.
    func forEachMessage(
        limit: Int,
        within outer: HandlingTask? = HandlingTask.current,
        _ body: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) async throws {
        guard limit > 1 else {
            let handling = HandlingTask(self, within: outer)
            return try await HandlingTask.$innermost.withValue(handling) {
                let cursor = DeliveryCursor(self)
                while let message = try await cursor.next() {
                    handling.begin(message)
                    try await body(message)
                }
            }
        }
        let cursor = SharedCursor(self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            var end: (any Error)?
            do {
                while true {
                    if running == limit {
                        if case .failure(let error) = await group.nextResult() {
                            group.cancelAll()
                            throw error
                        }
                        running -= 1
                    }
                    guard let message = try await cursor.next() else { break }
                    // It goes on with what is at hand: a task for each message costs more than most calls.
                    group.addTask {
                        let handling = HandlingTask(self, within: outer)
                        try await HandlingTask.$innermost.withValue(handling) {
                            handling.begin(message)
                            try await body(message)
                            while let next = try cursor.nextAtHand() {
                                handling.begin(next)
                                try await body(next)
                            }
                        }
                    }
                    running += 1
                }
            } catch {
                end = error
            }
            // Those that run end in their own time; only one that throws ends the others.
            while let result = await group.nextResult() {
                guard case .failure(let error) = result, end == nil else { continue }
                end = error
                group.cancelAll()
            }
            if let end { throw end }
        }
    }

    private func call(_ callback: Callback, _ message: IncomingMessage, _ plan: CallbackPlan) async {
        // Between taking the message and this it may have been cancelled.
        if buffer.isCutOff {
            giveBack(message)
            return
        }
        // The broker delivers it again.
        if message.isStale { return }
        do {
            if plan.isObserved {
                try await message.observed(callback)
            } else {
                try await callback(message)
            }
        } catch {
            let isOfEnd = isOfEnd(error)
            source.session.link.logger.log(
                level: error.tellsOfAnEnd || isOfEnd || message.comesAgain ? .debug : .error,
                "a consumer's callback threw",
                metadata: [
                    LogKey.consumerTag: "\(tag.printable())", LogKey.error: "\(String(describing: error).printable())",
                ]
            )
            plan.onFailure(message, error, isOfEnd)
        }
    }
}

extension IncomingMessage {
    /// Whether it went back to the broker with its channel, unsettled: whoever gets it next says what is wrong with it.
    var comesAgain: Bool { isStale && !source.session.hasSettled(deliveryTag) }
}

extension Error {
    /// Whether it says no more than that a connection or a delivery's channel has ended, which is logged once for all that
    /// ends with it.
    var tellsOfAnEnd: Bool {
        guard let code = (self as? AMQPError)?.code else { return false }
        return code == .connectionLost || code == .connectionClosed || code == .staleDelivery
    }
}

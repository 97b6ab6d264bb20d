internal import Logging

/// How a consumer calls back.
struct CallbackPlan: Sendable {
    var maxConcurrency = 1
    var onCancel: (@Sendable () -> Void)?
    var onError: (@Sendable (AMQPError) -> Void)?
}

extension Consumer {
    /// Calls the callback for each message until the end, and when all calls have returned, the handler for that end.
    func callBack(_ plan: CallbackPlan) async {
        guard let callback else { return }
        do {
            try await forEachMessage(limit: plan.maxConcurrency) { await self.call(callback, $0) }
            plan.onCancel?()
        } catch AMQPError.Code.consumerCancelled {
            plan.onCancel?()
        } catch let error as AMQPError {
            // Why is logged with the end of its channel or its connection, once for all that ends with it.
            source.session.link.logger.debug(
                "a consumer ended",
                metadata: ["consumer-tag": "\(tag.printable())", "reason": "\(error)"]
            )
            plan.onError?(error)
        } catch {
            plan.onCancel?()
        }
    }

    /// Runs `body` for each message, at most `limit` at a time, until the end; returns or throws when all have returned.
    ///
    /// A message is taken only when its call can begin. With a limit of 1 they run one after the other.
    func forEachMessage(limit: Int, _ body: @escaping @Sendable (IncomingMessage) async -> Void) async throws {
        let cursor = DeliveryCursor(self)
        guard limit > 1 else {
            while let message = try await cursor.next() { await body(message) }
            return
        }
        let end = await withTaskGroup(of: Void.self) { group -> (any Error)? in
            var running = 0
            do {
                while true {
                    if running == limit {
                        await group.next()
                        running -= 1
                    }
                    guard let message = try await cursor.next() else { return nil }
                    group.addTask { await body(message) }
                    running += 1
                }
            } catch {
                return error
            }
        }
        if let end { throw end }
    }

    private func call(_ callback: Callback, _ message: IncomingMessage) async {
        // Between taking the message and this it may have been cancelled.
        if buffer.isCutOff {
            giveBack([message])
            return
        }
        do {
            try await callback(message)
        } catch {
            source.session.link.logger.log(
                level: error.tellsOfAnEnd ? .debug : .error,
                "a consumer's callback threw",
                metadata: ["consumer-tag": "\(tag.printable())", "error": "\(String(describing: error).printable())"]
            )
        }
    }
}

extension Error {
    /// Whether it says no more than that a connection or a delivery's channel has ended, which is logged once for all that
    /// ends with it.
    var tellsOfAnEnd: Bool {
        guard let code = (self as? AMQPError)?.code else { return false }
        return code == .connectionLost || code == .connectionClosed || code == .staleDelivery
    }
}

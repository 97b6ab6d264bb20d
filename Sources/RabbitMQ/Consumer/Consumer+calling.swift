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
            if plan.maxConcurrency > 1 {
                try await callConcurrently(callback, limit: plan.maxConcurrency)
            } else {
                let cursor = DeliveryCursor(self)
                while let message = try await cursor.next() { await call(callback, message) }
            }
            plan.onCancel?()
        } catch AMQPError.Code.consumerCancelled {
            plan.onCancel?()
        } catch let error as AMQPError {
            source.session.link.logger.warning(
                "a consumer ended",
                metadata: ["consumer-tag": "\(tag)", "reason": "\(error)"]
            )
            plan.onError?(error)
        } catch {
            plan.onCancel?()
        }
    }

    /// Takes a message only when a call for it can begin.
    private func callConcurrently(_ callback: @escaping Callback, limit: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let cursor = DeliveryCursor(self)
            var running = 0
            do {
                while true {
                    if running == limit {
                        try await group.next()
                        running -= 1
                    }
                    guard let message = try await cursor.next() else { break }
                    group.addTask { await self.call(callback, message) }
                    running += 1
                }
            } catch {
                // Throwing out of the group would cancel the calls that run.
                try await group.waitForAll()
                throw error
            }
            try await group.waitForAll()
        }
    }

    private func call(_ callback: Callback, _ message: IncomingMessage) async {
        do {
            try await callback(message)
        } catch {
            source.session.link.logger.error(
                "a consumer's callback threw",
                metadata: ["consumer-tag": "\(tag)", "error": "\(error)"]
            )
        }
    }
}

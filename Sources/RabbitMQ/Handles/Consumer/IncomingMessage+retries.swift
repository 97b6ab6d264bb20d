internal import Synchronization

extension IncomingMessage {
    /// A number for what it is made of, but for what its deliveries change. It takes a while for a large message.
    private var fingerprint: Int {
        var message = message
        message.headers?["x-delivery-count"] = nil
        message.headers?["x-acquired-count"] = nil
        var hasher = Hasher()
        hasher.combine(message.body.count)
        // The whole of a large body would take long.
        message.body.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(65_536))) }
        message.body = []
        hasher.combine(message)
        hasher.combine(exchangeName)
        hasher.combine(routingKey)
        return hasher.finalize()
    }

    /// Remembers the message.
    private func remember(in memory: any WritableKeyPath<RetryMemories, RetryMemory> & Sendable) {
        let number = fingerprint
        source.session.link.retries.withLock { $0[keyPath: memory].remember(number) }
    }

    /// Whether the message is remembered, which it is not any more then.
    private func recall(from memory: any WritableKeyPath<RetryMemories, RetryMemory> & Sendable) -> Bool {
        let link = source.session.link
        guard link.retries.withLock({ !$0[keyPath: memory].isEmpty }) else { return false }
        let number = fingerprint
        return link.retries.withLock { $0[keyPath: memory].recall(number) }
    }

    /// Whether it was tried in this queue before; if that can't be told, what was tried on this connection counts. Where it
    /// was not, it is remembered as tried.
    func isSecondTry(_ history: DeliveryHistory) -> Bool {
        switch history.wasReturned {
        case .no:
            // When it comes back, it will not be told.
            if history.hasDied || history.hasForeignCount { remember(in: \.tried) }
            return false
        case .yes:
            if history.mayBeRemembered { _ = recall(from: \.tried) }
            return true
        case .unclear:
            if recall(from: \.tried) { return true }
            remember(in: \.tried)
            return false
        }
    }

    /// Whether its count is the broker's, as far as can be told: in a queue of another type a publisher's own would stay the
    /// same for ever.
    func hasTrustworthyCount(_ history: DeliveryHistory) -> Bool {
        guard history.queueType != .quorum else { return true }
        if history.hasForeignCount { remember(in: \.counted) }
        return !history.redelivered || !history.hasCount || !recall(from: \.counted)
    }
}

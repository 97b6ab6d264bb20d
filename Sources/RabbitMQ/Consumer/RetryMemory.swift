internal import DequeModule
internal import Synchronization

/// Messages that a policy has had delivered again although their headers will not tell it: what comes back the same was
/// tried before. A value; messages are told apart by what they are made of, so that of two that are the same in all of it,
/// one may be taken for the other.
struct RetryMemory {
    /// The latest, as numbers that mostly differ.
    private var messages: Deque<Int> = []

    /// The most that are remembered.
    static let most = 4096

    mutating func remember(_ message: Int) {
        messages.append(message)
        if messages.count > Self.most { messages.removeFirst() }
    }

    /// Whether the message is remembered, which it is not any more then.
    mutating func recall(_ message: Int) -> Bool {
        guard let index = messages.firstIndex(of: message) else { return false }
        messages.remove(at: index)
        return true
    }
}

extension IncomingMessage {
    /// A number for what it is made of, but for what its deliveries change.
    ///
    /// - Parameter kind: Different ones give different numbers.
    private func fingerprint(_ kind: String) -> Int {
        var message = message
        message.headers?["x-delivery-count"] = nil
        message.headers?["x-acquired-count"] = nil
        var hasher = Hasher()
        hasher.combine(kind)
        // The whole of a large body would take long.
        hasher.combine(message.body.count)
        message.body = Array(message.body.prefix(65_536))
        hasher.combine(message)
        hasher.combine(exchangeName)
        hasher.combine(routingKey)
        return hasher.finalize()
    }

    /// Whether it was tried in this queue before; if that can't be told, what was tried on this connection counts. Where it
    /// was not, it is remembered as tried.
    func isSecondTry(_ history: DeliveryHistory) -> Bool {
        let number = fingerprint("once")
        return source.session.link.retries.withLock { memory in
            switch history.wasReturned {
            case .no:
                // When it comes back, it will not be told.
                if history.hasDied || history.hasForeignCount { memory.remember(number) }
                return false
            case .yes:
                _ = memory.recall(number)
                return true
            case .unclear:
                if memory.recall(number) { return true }
                memory.remember(number)
                return false
            }
        }
    }

    /// Whether its count is the broker's, as far as can be told: in a queue of another type a publisher's own would stay the
    /// same for ever.
    func hasTrustworthyCount(_ history: DeliveryHistory) -> Bool {
        guard history.queueType != .quorum else { return true }
        let number = fingerprint("count")
        return source.session.link.retries.withLock { memory in
            if history.hasForeignCount { memory.remember(number) }
            return !history.redelivered || !memory.recall(number)
        }
    }
}

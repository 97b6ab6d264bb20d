internal import DequeModule
internal import Synchronization

/// Messages that a policy has had delivered again although their headers will not tell it: what comes back the same was
/// tried before. A value; messages are told apart by what they are made of, so that of two that are the same in all of it,
/// one may be taken for the other.
struct RetryMemory {
    /// Numbers that mostly differ, each with its place in the order in which they came.
    private var places: [Int: UInt64] = [:]
    /// The order, the oldest first; with some that are recalled already.
    private var order: Deque<(message: Int, place: UInt64)> = []
    private var nextPlace: UInt64 = 0

    /// The most that are remembered.
    static let most = 4096

    var isEmpty: Bool { places.isEmpty }

    /// Remembers a message, if it isn't remembered already: what comes often must not push out the others.
    mutating func remember(_ message: Int) {
        guard places[message] == nil else { return }
        places[message] = nextPlace
        order.append((message, nextPlace))
        nextPlace += 1
        while places.count > Self.most, let first = order.popFirst() {
            if places[first.message] == first.place { places[first.message] = nil }
        }
        if order.count > 2 * Self.most { order.removeAll { places[$0.message] != $0.place } }
    }

    /// Whether the message is remembered, which it is not any more then.
    mutating func recall(_ message: Int) -> Bool { places.removeValue(forKey: message) != nil }
}

/// What the policies of a connection remember.
struct RetryMemories {
    /// Messages that were tried.
    var tried = RetryMemory()
    /// Messages that came with a count for the first time, which is a publisher's.
    var counted = RetryMemory()
}

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

internal import DequeModule

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

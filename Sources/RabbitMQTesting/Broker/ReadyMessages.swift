internal import RabbitMQ

/// The messages of a queue that wait for a consumer: those of a higher priority first, then by their places.
struct ReadyMessages {
    /// Messages of one priority. Those that were taken leave gaps at the beginning, which go together.
    private struct Lane {
        var items: [StoredMessage?] = []
        var head = 0

        var isEmpty: Bool { head == items.count }
        var first: StoredMessage? { isEmpty ? nil : items[head] }

        mutating func popFirst() -> StoredMessage? {
            guard !isEmpty else { return nil }
            defer {
                items[head] = nil
                head += 1
                if head > 64, head * 2 > items.count {
                    items.removeFirst(head)
                    head = 0
                }
            }
            return items[head]
        }

        mutating func insert(_ message: StoredMessage) {
            // What is new goes to the end, what comes back mostly to the beginning.
            if let last = items.last ?? nil, last.position < message.position { return items.append(message) }
            if isEmpty { return items.append(message) }
            var (low, high) = (head, items.count)
            while low < high {
                let middle = (low + high) / 2
                if (items[middle]?.position ?? 0) < message.position { low = middle + 1 } else { high = middle }
            }
            if low == head, head > 0 {
                head -= 1
                items[head] = message
            } else {
                items.insert(message, at: low)
            }
        }
    }

    /// By priority, the highest first. Only queues with priorities have more than one.
    private var lanes: [(priority: Int, lane: Lane)] = []
    private(set) var count = 0
    /// Of all bodies.
    private(set) var byteCount = 0

    var isEmpty: Bool { count == 0 }

    private var firstIndex: Int? { lanes.firstIndex { !$0.lane.isEmpty } }

    var first: StoredMessage? { firstIndex.flatMap { lanes[$0].lane.first } }

    mutating func insert(_ message: StoredMessage) {
        count += 1
        byteCount += message.message.body.count
        if let index = lanes.firstIndex(where: { $0.priority <= message.priority }) {
            if lanes[index].priority == message.priority { return lanes[index].lane.insert(message) }
            lanes.insert((message.priority, Lane()), at: index)
            lanes[index].lane.insert(message)
        } else {
            lanes.append((message.priority, Lane()))
            lanes[lanes.count - 1].lane.insert(message)
        }
    }

    mutating func popFirst() -> StoredMessage? { firstIndex.flatMap { pop(from: $0) } }

    private mutating func pop(from index: Int) -> StoredMessage? {
        guard let message = lanes[index].lane.popFirst() else { return nil }
        count -= 1
        byteCount -= message.message.body.count
        return message
    }

    /// Takes what has expired, from the head alone: what waits behind something that has not is kept, as RabbitMQ does, also
    /// where that has a higher priority.
    mutating func popExpired(_ isExpired: (StoredMessage) -> Bool) -> [StoredMessage] {
        var expired: [StoredMessage] = []
        while let head = first, isExpired(head), let message = popFirst() { expired.append(message) }
        return expired
    }

    /// When the head expires.
    var nextExpiry: Duration? { first?.expiry }

    mutating func removeAll() { self = ReadyMessages() }

    /// Removes all but those that are meant.
    mutating func keep(_ isMeant: (StoredMessage) -> Bool) {
        let kept = all.filter(isMeant)
        removeAll()
        for message in kept { insert(message) }
    }

    /// All of them, in order.
    var all: [StoredMessage] { lanes.flatMap { $0.lane.items[$0.lane.head...].compactMap { $0 } } }
}

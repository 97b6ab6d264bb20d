internal import DequeModule

/// Finds the published message that a returned one was, in constant time for each. A value.
///
/// Returns come in the order of the publishes, so mostly the next one is looked for: messages are taken into the index only
/// as far as that. Without it a peer that returns many messages would have each of them compared with all.
struct ReturnIndex: Sendable {
    /// Numbers by all that a message is, by its address and body, by its address; in order, with some whose messages
    /// have come back or are settled.
    private var same: [Int: Deque<UInt64>] = [:]
    private var sameBody: [Int: Deque<UInt64>] = [:]
    private var sameAddress: [Int: Deque<UInt64>] = [:]
    /// The number behind the last that was taken in.
    private var end: UInt64 = 0
    private var count = 0

    /// Finds the first message that is the same as the one that came back, else the first with its body, else the first
    /// with its exchange and key.
    ///
    /// - Parameters:
    ///   - numbers: The messages that are not settled, and some that are.
    ///   - mandatory: The message with a number; nil if it can't be meant.
    mutating func find(
        _ returned: ReturnedMessage,
        in numbers: Range<UInt64>,
        mandatory: (UInt64) -> ConfirmLedger.Kept?
    ) -> UInt64? {
        // Most of what it holds is settled: begin again with what is left.
        if count > 1024, count / 4 > numbers.count { self = ReturnIndex() }
        end = max(end, numbers.lowerBound)
        let sought = ConfirmLedger.Kept(
            exchange: returned.exchangeName,
            routingKey: returned.routingKey,
            message: returned.message
        )
        let keys = Self.keys(sought)
        func first(_ queues: inout [Int: Deque<UInt64>], _ key: Int, _ fits: (ConfirmLedger.Kept) -> Bool)
            -> UInt64?
        {
            while let number = queues[key]?.first, mandatory(number) == nil { queues[key]?.removeFirst() }
            if queues[key]?.isEmpty == true { queues[key] = nil }
            return queues[key]?.first { number in mandatory(number).map(fits) ?? false }
        }
        if let number = first(&same, keys.same, { $0.isSame(as: sought) }) { return number }
        while end < numbers.upperBound {
            let number = end
            end += 1
            guard let candidate = mandatory(number) else { continue }
            add(number, candidate)
            if candidate.isSame(as: sought) { return number }
        }
        return first(&sameBody, keys.sameBody) { $0.hasAddress(of: sought) && $0.message.body == sought.message.body }
            ?? first(&sameAddress, keys.sameAddress) { $0.hasAddress(of: sought) }
    }

    private mutating func add(_ number: UInt64, _ mandatory: ConfirmLedger.Kept) {
        let keys = Self.keys(mandatory)
        same[keys.same, default: []].append(number)
        sameBody[keys.sameBody, default: []].append(number)
        sameAddress[keys.sameAddress, default: []].append(number)
        count += 1
    }

    private static func keys(_ mandatory: ConfirmLedger.Kept) -> (same: Int, sameBody: Int, sameAddress: Int) {
        var hasher = Hasher()
        hasher.combine(mandatory.exchange)
        hasher.combine(mandatory.routingKey)
        let address = hasher
        hasher.combine(mandatory.message.body)
        let body = hasher
        hasher.combine(mandatory.message)
        return (hasher.finalize(), body.finalize(), address.finalize())
    }
}

extension ConfirmLedger.Kept {
    fileprivate func hasAddress(of other: ConfirmLedger.Kept) -> Bool {
        routingKey == other.routingKey && exchange == other.exchange
    }

    fileprivate func isSame(as other: ConfirmLedger.Kept) -> Bool {
        hasAddress(of: other) && message == other.message
    }
}

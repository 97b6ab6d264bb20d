/// What a client did with deliveries.
public struct PeerSettlements: Sendable {
    public private(set) var acknowledged: Set<UInt64> = []
    /// By basic.nack with requeue.
    public private(set) var returned: Set<UInt64> = []
    /// The tags of consumers that were cancelled meanwhile.
    public private(set) var cancelled: [String] = []
    /// How many frames it took.
    public private(set) var frames = 0

    fileprivate mutating func settle(_ tags: Set<UInt64>, returns: Bool) {
        if returns { returned.formUnion(tags) } else { acknowledged.formUnion(tags) }
        frames += 1
    }

    fileprivate mutating func cancel(_ tag: String) { cancelled.append(tag) }
}

extension ScriptedPeer {
    /// Waits until the client has settled all these deliveries.
    public func settlements(of tags: ClosedRange<UInt64>) async throws -> PeerSettlements {
        var settlements = PeerSettlements()
        var left = Set(tags)
        while !left.isEmpty {
            let frame = try await next("a settlement")
            var fields = frame.fields
            switch frame.method {
            case .basicAck, .basicNack:
                let (tag, bits) = (fields.longLong(), fields.octet())
                let meant: Set<UInt64> = bits & 1 == 0 ? [tag] : left.filter { $0 <= tag }
                guard left.isSuperset(of: meant) else { throw UnexpectedFrame(frame: frame) }
                left.subtract(meant)
                settlements.settle(meant, returns: frame.method == .basicNack && bits & 2 != 0)
            case .basicCancel: settlements.cancel(fields.shortString())
            default: throw UnexpectedFrame(frame: frame)
            }
        }
        return settlements
    }

    /// The client sent something else.
    public struct UnexpectedFrame: Error {
        let frame: PeerFrame
    }
}

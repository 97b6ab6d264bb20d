internal import Synchronization

/// What became of the messages of one lane, a byte each from the beginning on, so that the run itself takes no more memory as
/// it goes on.
final class SoakTally: Sendable {
    struct Counts: Sendable {
        var sent = 0
        var confirmed = 0
        var delivered = 0
        var doubled = 0
        var failed = 0
        /// Confirmed, and not delivered.
        var missing = 0

        static func + (left: Counts, right: Counts) -> Counts {
            Counts(
                sent: left.sent + right.sent,
                confirmed: left.confirmed + right.confirmed,
                delivered: left.delivered + right.delivered,
                doubled: left.doubled + right.doubled,
                failed: left.failed + right.failed,
                missing: left.missing + right.missing
            )
        }
    }

    private struct State {
        var messages: [UInt8]
        var counts = Counts()
    }

    private static let (isConfirmed, isDelivered): (UInt8, UInt8) = (1, 2)
    private let state: Mutex<State>

    init(most: Int) { state = Mutex(State(messages: [UInt8](repeating: 0, count: most))) }

    var counts: Counts {
        state.withLock { state in
            var counts = state.counts
            counts.missing = state.messages.prefix(counts.sent).reduce(0) { $0 + ($1 == Self.isConfirmed ? 1 : 0) }
            return counts
        }
    }

    /// - Returns: The number of the next message; nil if there are no more.
    func send() -> Int? {
        state.withLock { state in
            guard state.counts.sent < state.messages.count else { return nil }
            defer { state.counts.sent += 1 }
            return state.counts.sent
        }
    }

    func confirm(_ number: Int) {
        state.withLock { state in
            state.counts.confirmed += 1
            state.messages[number] |= Self.isConfirmed
        }
    }

    func fail() { state.withLock { $0.counts.failed += 1 } }

    func deliver(_ number: Int) {
        state.withLock { state in
            guard state.messages.indices.contains(number) else { return }
            if state.messages[number] & Self.isDelivered != 0 {
                state.counts.doubled += 1
            } else {
                state.counts.delivered += 1
                state.messages[number] |= Self.isDelivered
            }
        }
    }
}

/// What happens beside messages, and awaits that do not end in time.
final class SoakJournal: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    func count(_ what: String) { counts.withLock { $0[what, default: 0] += 1 } }

    func number(_ what: String) -> Int { counts.withLock { $0[what] ?? 0 } }

    /// All whose name begins so.
    func all(_ prefix: String) -> [String] {
        counts.withLock { $0.filter { $0.key.hasPrefix(prefix) }.map { "\($0.key) \($0.value)" }.sorted() }
    }
}

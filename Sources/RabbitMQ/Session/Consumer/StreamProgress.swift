internal import DequeModule
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// How far a consumer has come in a stream, which keeps its messages whoever has settled them: so that a consumer that is
/// begun again goes on behind the last message that was settled in order, and not where it began at first.
final class StreamProgress: Sendable {
    private enum Kind: UInt8, AtomicRepresentable {
        /// No message has come that says it.
        case unknown, stream, other
    }

    private struct State {
        var position: StreamPosition
        /// What the consumer was begun anew with; nil before that. Deliveries of another one are void.
        var source: ObjectIdentifier?

        func isVoid(_ source: DeliverySource) -> Bool { self.source.map { $0 != ObjectIdentifier(source) } ?? false }
    }

    private let state: Mutex<State>
    private let kind = Atomic(Kind.unknown)

    /// - Parameters:
    ///   - start: Where the consumer began; nil if it doesn't say.
    ///   - now: When.
    init(start: FieldValue?, now: Date = Date()) {
        state = Mutex(State(position: StreamPosition(start: start, began: now)))
    }

    /// Whether a message has come that is no stream's.
    var isOther: Bool { kind.load(ordering: .relaxed) == .other }

    /// A message was taken by the application, or dropped as the first of those that it has not taken.
    func delivered(_ message: IncomingMessage) {
        guard let offset = message.message.streamOffset else {
            _ = kind.compareExchange(expected: .unknown, desired: .other, ordering: .relaxed)
            return
        }
        kind.store(.stream, ordering: .relaxed)
        state.withLock { state in
            guard !state.isVoid(message.source) else { return }
            state.position.delivered(message.deliveryTag, offset: offset)
        }
    }

    /// A delivery was acknowledged.
    func settled(_ tag: UInt64, multiple: Bool, of source: DeliverySource) {
        guard kind.load(ordering: .relaxed) == .stream else { return }
        state.withLock { state in
            guard !state.isVoid(source) else { return }
            state.position.settled(tag, multiple: multiple)
        }
    }

    /// Changes basic.consume's arguments so that the consumer goes on where it was, whose deliveries are void.
    ///
    /// - Parameter source: Where it gets them from now on.
    func resume(_ arguments: inout FieldTable, isStream: Bool, from source: DeliverySource) {
        let isStream = isStream || kind.load(ordering: .relaxed) == .stream
        let start = state.withLock { state -> FieldValue? in
            state.source = ObjectIdentifier(source)
            return isStream ? state.position.restart() : nil
        }
        guard let start else { return }
        arguments["x-stream-offset"] = start
    }
}

/// A consumer's place in a stream. A value.
struct StreamPosition: Sendable {
    private struct Entry {
        let tag: UInt64
        let offset: UInt64
        var isSettled = false
    }

    private let start: FieldValue?
    private let began: Date
    private var entries: Deque<Entry> = []
    /// The offset behind the last message that was settled in order; before that, of the first that came.
    private(set) var next: UInt64?

    init(start: FieldValue?, began: Date) {
        self.start = start
        self.began = began
    }

    mutating func delivered(_ tag: UInt64, offset: UInt64) {
        if next == nil { next = offset }
        // Settled before, and delivered again because those before it were not.
        if let last = entries.last, tag <= last.tag { return }
        entries.append(Entry(tag: tag, offset: offset))
    }

    mutating func settled(_ tag: UInt64, multiple: Bool) {
        // Tags rise, so that it can be found by halves.
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        if multiple {
            let end = low < entries.count && entries[low].tag == tag ? low + 1 : low
            for index in 0..<end { entries[index].isSettled = true }
        } else if low < entries.count, entries[low].tag == tag {
            entries[low].isSettled = true
        }
        while let first = entries.first, first.isSettled {
            next = first.offset &+ 1
            entries.removeFirst()
        }
    }

    /// Forgets deliveries, which come again.
    ///
    /// - Returns: Where to begin again; nil for where it began at first.
    mutating func restart() -> FieldValue? {
        entries = []
        if let next { return .int64(Int64(clamping: next)) }
        // Nothing has come yet. What was published since it began is meant, and not only what is published from now on.
        // The last chunk would have come: there was none.
        let isNext = start == nil || start == .string("next") || start == .string("last")
        return isNext ? .date(Date(timeIntervalSince1970: began.timeIntervalSince1970.rounded(.down))) : nil
    }
}

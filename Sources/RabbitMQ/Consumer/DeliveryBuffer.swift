internal import DequeModule
internal import Synchronization

/// Deliveries between the link's queue, which appends them in batches, and a consumer, which takes them in batches.
final class DeliveryBuffer: Sendable {
    private enum End {
        case finished
        case failed(AMQPError)
    }

    private struct State {
        var messages: Deque<IncomingMessage> = []
        var bytes = 0
        var waiters: [OneShot<Void>] = []
        var end: End?

        mutating func takeWaiters() -> [OneShot<Void>] {
            defer { waiters = [] }
            return waiters
        }
    }

    private enum Taken {
        case messages
        case wait(OneShot<Void>)
        case end(End)
    }

    private let state = Mutex(State())
    /// Counts the bytes that wait here; nil if the prefetch limits them.
    private let gauge: InboundGauge?
    /// Set when nothing may be taken any more, not even what a consumer holds already.
    private let isCut = Atomic<Bool>(false)

    init(gauge: InboundGauge?) { self.gauge = gauge }

    var isCutOff: Bool { isCut.load(ordering: .acquiring) }

    /// Appends a batch and leaves an empty one.
    ///
    /// - Returns: Whether it was taken: not after the end.
    func append(_ batch: inout Deque<IncomingMessage>) -> Bool {
        let bytes = gauge == nil ? 0 : batch.reduce(0) { $0 + $1.footprint }
        let (taken, waiters) = state.withLock { state -> (Bool, [OneShot<Void>]) in
            guard state.end == nil else { return (false, []) }
            if state.messages.isEmpty {
                swap(&state.messages, &batch)
            } else {
                state.messages.append(contentsOf: batch)
            }
            state.bytes += bytes
            return (true, state.takeWaiters())
        }
        if taken {
            gauge?.add(bytes)
            batch.removeAll(keepingCapacity: true)
        }
        for waiter in waiters { waiter.succeed(()) }
        return taken
    }

    /// Takes what has come, waiting for it if need be.
    ///
    /// - Parameter emptied: An empty batch, to be filled next.
    /// - Returns: At least one message, or nil if the consumer has ended as it should.
    /// - Throws: The reason for another end, or `CancellationError`.
    func take(leaving emptied: consuming Deque<IncomingMessage>) async throws -> Deque<IncomingMessage>? {
        var batch = emptied
        while true {
            switch tryTake(&batch) {
            case .messages: return batch
            case .end(.finished): return nil
            case .end(.failed(let error)): throw error
            case .wait(let waiter): try await waiter.value()
            }
        }
    }

    private func tryTake(_ batch: inout Deque<IncomingMessage>) -> Taken {
        let (taken, bytes) = state.withLock { state -> (Taken, Int) in
            guard state.messages.isEmpty else {
                swap(&state.messages, &batch)
                defer { state.bytes = 0 }
                return (.messages, state.bytes)
            }
            if let end = state.end { return (.end(end), 0) }
            let waiter = OneShot<Void>()
            state.waiters.append(waiter)
            return (.wait(waiter), 0)
        }
        if bytes > 0 { gauge?.remove(bytes) }
        return taken
    }

    /// Ends the stream of messages; the first end counts.
    ///
    /// - Parameters:
    ///   - error: The reason, or nil if it ends as it should.
    ///   - cuts: Whether what waits here is not to be taken any more.
    /// - Returns: What waited here, if it is cut off.
    func end(_ error: AMQPError?, cuts: Bool) -> Deque<IncomingMessage> {
        let (left, bytes, waiters) = state.withLock { state -> (Deque<IncomingMessage>, Int, [OneShot<Void>]) in
            if state.end == nil { state.end = error.map(End.failed) ?? .finished }
            var left: Deque<IncomingMessage> = []
            var bytes = 0
            if cuts {
                isCut.store(true, ordering: .releasing)
                swap(&left, &state.messages)
                swap(&bytes, &state.bytes)
            }
            return (left, bytes, state.takeWaiters())
        }
        if bytes > 0 { gauge?.remove(bytes) }
        for waiter in waiters { waiter.succeed(()) }
        return left
    }
}

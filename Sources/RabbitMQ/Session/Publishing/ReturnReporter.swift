internal import Logging
internal import Synchronization

/// Hands returned messages on, in order, away from the link's queue.
///
/// What waits for a slow receiver counts as inbound bytes, so that reading pauses before memory fills.
final class ReturnReporter: Sendable {
    typealias Handler = @Sendable (ReturnedMessage) -> Void

    private struct Item: Sendable {
        var returned: ReturnedMessage
        /// Whether somebody can learn of it from a receipt.
        var hasReceipt: Bool
    }

    private struct Subscriber: Sendable {
        let continuation: AsyncStream<ReturnedMessage>.Continuation
        let share: InboundShare
    }

    private struct State {
        var handler: Handler?
        var subscribers: [UInt64: Subscriber] = [:]
        var nextID: UInt64 = 0
        var stage = Stage.open
        var isRunning = false
    }

    private enum Stage {
        case open
        /// No more will come.
        case ended
        /// What has come was handed on, too.
        case over
    }

    private let state = Mutex(State())
    private let stream: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation
    private let logger: Logger
    private let gauge: InboundGauge

    init(logger: Logger, gauge: InboundGauge) {
        self.logger = logger
        self.gauge = gauge
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Sets the handler, or the default. It is kept until the channel has ended.
    func setHandler(_ handler: Handler?) {
        // What the old one holds goes with it, when the lock is released: its end may come back here.
        let old = state.withLock { state -> Handler? in
            guard state.stage != .over else { return nil }
            defer { state.handler = handler }
            return state.handler
        }
        withExtendedLifetime(old) {}
    }

    func subscribe() -> ReturnedMessages {
        let (stream, continuation) = AsyncStream<ReturnedMessage>.makeStream()
        let share = InboundShare(gauge: gauge)
        let id = state.withLock { state -> UInt64? in
            guard state.stage == .open else { return nil }
            state.nextID += 1
            state.subscribers[state.nextID] = Subscriber(continuation: continuation, share: share)
            return state.nextID
        }
        if let id {
            continuation.onTermination = { [weak self] _ in
                share.end()
                self?.unsubscribe(id)
            }
        } else {
            continuation.finish()
        }
        return ReturnedMessages(stream: stream, share: share)
    }

    private func unsubscribe(_ id: UInt64) {
        state.withLock { _ = $0.subscribers.removeValue(forKey: id) }
    }

    func report(_ returned: ReturnedMessage, hasReceipt: Bool) {
        gauge.add(returned.message.footprint)
        if case .terminated = continuation.yield(Item(returned: returned, hasReceipt: hasReceipt)) {
            // It comes behind the end, on a session that was being set up: nobody takes it, nor would count it out.
            return gauge.remove(returned.message.footprint)
        }
        let starts = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard starts else { return }
        Task {
            for await item in stream { handle(item) }
            endSubscribers()
        }
    }

    /// No more will come; what has come is still handed on.
    func end() {
        continuation.finish()
        let isRunning = state.withLock { state in
            if state.stage == .open { state.stage = .ended }
            return state.isRunning
        }
        if !isRunning { endSubscribers() }
    }

    private func endSubscribers() {
        // What the handler holds goes with it, when the lock is released: it may be the channel.
        let (subscribers, _) = state.withLock { state in
            state.stage = .over
            defer { (state.subscribers, state.handler) = ([:], nil) }
            return (state.subscribers, state.handler)
        }
        for subscriber in subscribers.values { subscriber.continuation.finish() }
    }

    private func handle(_ item: Item) {
        let returned = item.returned
        defer { gauge.remove(returned.message.footprint) }
        let (handler, subscribers) = state.withLock { ($0.handler, Array($0.subscribers.values)) }
        handler?(returned)
        for subscriber in subscribers {
            subscriber.share.add(returned.message.footprint)
            subscriber.continuation.yield(returned)
        }
        guard handler == nil, subscribers.isEmpty, !item.hasReceipt else { return }
        logger.error("undeliverable message", metadata: [LogKey.error: "\(AMQPError(returned: returned))"])
    }
}

internal import Logging
internal import Synchronization

/// Hands returned messages on, in order, away from the link's queue.
final class ReturnReporter: Sendable {
    typealias Handler = @Sendable (ReturnedMessage) -> Void

    private let handler = Mutex<Handler?>(nil)
    private let stream: AsyncStream<ReturnedMessage>
    private let continuation: AsyncStream<ReturnedMessage>.Continuation
    private let isRunning = Atomic<Bool>(false)
    private let logger: Logger
    /// Counts the messages that wait for the handler, so that a slow one pauses reading.
    private let gauge: InboundGauge

    init(logger: Logger, gauge: InboundGauge) {
        self.logger = logger
        self.gauge = gauge
        (stream, continuation) = AsyncStream.makeStream()
    }

    func setHandler(_ handler: Handler?) { self.handler.withLock { $0 = handler } }

    func report(_ returned: ReturnedMessage) {
        gauge.add(returned.footprint)
        continuation.yield(returned)
        guard !isRunning.exchange(true, ordering: .relaxed) else { return }
        Task {
            for await returned in stream { handle(returned) }
        }
    }

    func end() { continuation.finish() }

    private func handle(_ returned: ReturnedMessage) {
        defer { gauge.remove(returned.footprint) }
        if let handler = handler.withLock({ $0 }) {
            handler(returned)
        } else {
            logger.error("undeliverable message", metadata: ["error": "\(AMQPError(returned: returned))"])
        }
    }
}

extension ReturnedMessage {
    fileprivate var footprint: Int { message.body.count + 256 }
}

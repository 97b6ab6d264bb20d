internal import Synchronization

/// What a connection keeps from one link to the next: the queue they run on, the way out, what counts what waits for
/// consumers, and what counts what has happened. One link at a time uses it.
final class LinkBase: Sendable {
    let executor: QueueExecutor
    let outbox: Outbox
    let gauge: InboundGauge
    let tally = Tally()
    private let reference: WeakLink
    private struct Host: Sendable { weak var host: (any LinkHost)? }
    private let weakHost = Mutex(Host())

    /// What outlives links.
    var host: (any LinkHost)? {
        get { weakHost.withLock { $0.host } }
        set { weakHost.withLock { $0.host = newValue } }
    }

    /// - Parameters:
    ///   - outboundHighWater: Bytes waiting to be written from which on publishers are held back.
    ///   - inboundHighWater: Bytes waiting for consumers from which on reading pauses.
    init(outboundHighWater: Int, inboundHighWater: Int) {
        let executor = QueueExecutor(label: "rabbitmq.link")
        let reference = WeakLink()
        self.executor = executor
        self.reference = reference
        outbox = Outbox(limits: Outbox.Limits(highWater: outboundHighWater, lowWater: outboundHighWater / 2)) {
            flusher in
            switch flusher {
            case .nobody: return
            case .caller:
                guard let link = reference.link else { return }
                if executor.runIfIdle({ link.assumeIsolated { $0.flush(on: .other) } }) { return }
            case .queue: break
            }
            executor.async { reference.link?.assumeIsolated { $0.flush() } }
        }
        gauge = InboundGauge(highWater: inboundHighWater) {
            executor.async { reference.link?.assumeIsolated { $0.updateReading() } }
        }
    }

    convenience init(_ configuration: ConnectionConfiguration) {
        self.init(
            outboundHighWater: configuration.outboundHighWater,
            inboundHighWater: configuration.inboundHighWater
        )
    }

    /// Has a link use it. Called on the queue, where the link before it has ended.
    ///
    /// - Returns: What tells what belongs to this link from what belongs to those before: see ``Outbox/attach()``.
    func attach(_ link: Link) -> UInt32 {
        reference.link = link
        return outbox.attach()
    }
}

/// Reaches a link without owning it.
final class WeakLink: Sendable {
    private struct Reference: Sendable { weak var link: Link? }
    private let reference = Mutex(Reference())

    var link: Link? {
        get { reference.withLock { $0.link } }
        set { reference.withLock { $0.link = newValue } }
    }
}

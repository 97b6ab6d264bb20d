internal import Synchronization

/// What deletes itself, and was still there when it was declared again after a loss, because the broker had not noticed
/// that the lost connection is gone. When it does, it deletes the exchange with its last binding, and the queue with its
/// last consumer. Whoever misses it then declares it again, and goes on.
extension ConnectionCore {
    /// An exchange or a queue that deletes itself.
    enum Fleeting: Hashable, Sendable {
        case exchange(String)
        case queue(String)

        /// Whether the broker says that it does not exist.
        func isMissed(by error: AMQPError) -> Bool {
            guard error.code == .notFound, !error.isConnectionFatal, let text = error.replyText else { return false }
            return switch self {
            case .exchange(let name): text.names("no exchange", name)
            case .queue(let name): text.names("no queue", name)
            }
        }

        fileprivate var isExchange: Bool { if case .exchange = self { true } else { false } }
    }

    /// Notes that something was declared again, if it deletes itself.
    func noteFleeting(_ entity: RecoveryPolicy.Entity) {
        let fleeting: Fleeting
        switch entity {
        case .exchange(let exchange) where exchange.autoDelete: fleeting = .exchange(exchange.name)
        case .queue(let queue) where queue.autoDelete: fleeting = .queue(queue.name)
        default: return
        }
        // Not again for those that have had their try.
        state.withLock { if $0.fleeting[fleeting] == nil { $0.fleeting[fleeting] = [] } }
    }

    /// Whether an exchange is missed that was declared again after the last loss, and a channel may have another try:
    /// one for each.
    func mayRegainExchange(after error: AMQPError, for channel: ChannelCore) -> Bool {
        takeTry(after: error, for: channel) { $0.isExchange }
    }

    /// The same for the queue of a consumer.
    func mayRegainQueue(after error: AMQPError, for channel: ChannelCore) -> Bool {
        takeTry(after: error, for: channel) { !$0.isExchange }
    }

    private func takeTry(after error: AMQPError, for channel: ChannelCore, _ isMeant: (Fleeting) -> Bool) -> Bool {
        guard error.code == .notFound else { return false }
        return state.withLock { state in
            let missed = state.fleeting.keys.first { isMeant($0) && $0.isMissed(by: error) }
            guard let missed else { return false }
            return state.fleeting[missed]?.insert(ObjectIdentifier(channel)).inserted == true
        }
    }

    /// Declares an exchange again that deletes itself, and that a channel has missed; with its bindings.
    func declareAgain(missedBy error: AMQPError, on link: Link) async throws {
        guard error.code == .notFound else { return }
        let missed = topology.everything.exchanges.filter {
            $0.autoDelete && Fleeting.exchange($0.name).isMissed(by: error)
        }
        guard !missed.isEmpty else { return }
        var report = RecoveryReport()
        try await replayPart(DeclaredTopology(exchanges: missed), on: link, &report)
    }

    /// Declares some of it again, with the bindings that it has part in: not with all there are, for each channel that misses
    /// something comes here, and each queue that is waited for.
    func replayPart(_ declared: DeclaredTopology, on link: Link, _ report: inout RecoveryReport) async throws {
        try await redeclare(declared, on: link, &report, false)
        // By their names as they are now.
        let bindings = Self.bindingSteps(topology.everything.bindings, configuration.recovery)
        let lost = bindings.filter { step in
            guard let binding = step.entity.binding else { return false }
            return declared.exchanges.contains { binding.concerns(exchange: $0.name) }
                || declared.queues.contains { binding.destination == .queue($0.name) }
                || declared.bindings.contains(binding)
        }
        try await replay(lost, on: link, &report, false)
        try await replayMissed(bindings, on: link, &report, false)
    }

    /// Declares again what was gone when it was to be bound, and binds it.
    ///
    /// - Parameter steps: All bindings that were to be made.
    func replayMissed(
        _ steps: [ReplayStep],
        on link: Link,
        _ report: inout RecoveryReport,
        _ waitsForEnd: Bool
    ) async throws {
        let refused = report.refused.compactMap(\.entity.binding)
        let missed = report.refused.filter { $0.error.code == .notFound && !$0.error.isRetryable }
            .compactMap(\.entity.binding)
        guard !missed.isEmpty else { return }
        let declared = topology.everything
        let gone = DeclaredTopology(
            exchanges: declared.exchanges.filter { exchange in
                exchange.autoDelete && missed.contains { $0.concerns(exchange: exchange.name) }
            },
            queues: declared.queues.filter { identity in
                identity.queue.autoDelete && !identity.isServerNamed
                    && missed.contains { $0.destination == .queue(identity.name) }
            }
        )
        guard !gone.exchanges.isEmpty || !gone.queues.isEmpty else { return }
        // Those too that were made before it went.
        let lost = steps.filter { step in
            guard let binding = step.entity.binding else { return false }
            return missed.contains(binding) || gone.exchanges.contains { binding.concerns(exchange: $0.name) }
        }
        let bindings = lost.compactMap(\.entity.binding)
        report.bindings -= bindings.count { !refused.contains($0) }
        report.refused.removeAll { refusal in refusal.entity.binding.map { bindings.contains($0) } ?? false }
        // What is declared counts as one, however often it is.
        var again = RecoveryReport()
        for part in Self.steps(gone, configuration.recovery) { try await replay(part, on: link, &again, waitsForEnd) }
        try await replay(lost, on: link, &again, waitsForEnd)
        report.bindings += again.bindings
        report.refused += again.refused
    }
}

extension RecoveryPolicy.Entity {
    fileprivate var binding: Topology.Binding? { if case .binding(let binding) = self { binding } else { nil } }
}

extension Topology.Binding {
    fileprivate func concerns(exchange name: String) -> Bool { source == name || destination == .exchange(name) }
}

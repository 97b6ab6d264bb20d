internal import Logging
internal import Synchronization

/// Declaring again what was declared, on channels of its own: what the broker refuses costs one of them, and nobody else's.
extension ConnectionCore {
    /// Something to declare again.
    struct ReplayStep: Sendable {
        let entity: RecoveryPolicy.Entity
        let method: ClientMethod
        /// The queue, if the broker names it.
        var identity: QueueIdentity?
    }

    /// The steps in an order that works: within each part in any order, so that they go out together.
    static func steps(_ declared: DeclaredTopology, _ policy: RecoveryPolicy) -> [[ReplayStep]] {
        // A server-named queue's bindings are known once it has its name.
        let topology = Topology(exchanges: declared.exchanges)
        var exchanges: [ReplayStep] = []
        for exchange in topology.inOrderOfAlternates() {
            let how = policy.topology(.exchange(exchange))
            guard how != .leave else { continue }
            let method = ClientMethod.exchangeDeclare(exchange.declaration(passive: how == .verify))
            exchanges.append(ReplayStep(entity: .exchange(exchange), method: method))
        }
        var queues: [ReplayStep] = []
        for identity in declared.queues {
            let queue = identity.queue
            let how = policy.topology(.queue(queue))
            guard how != .leave else { continue }
            var declaration = queue.declaration(passive: how == .verify)
            if identity.isServerNamed, how == .declare { declaration.name = "" }
            queues.append(
                ReplayStep(
                    entity: .queue(queue),
                    method: .queueDeclare(declaration),
                    identity: identity.isServerNamed ? identity : nil
                )
            )
        }
        return [exchanges + queues]
    }

    static func bindingSteps(_ bindings: [Topology.Binding], _ policy: RecoveryPolicy) -> [ReplayStep] {
        bindings.filter { policy.topology(.binding($0)) == .declare }.map {
            ReplayStep(entity: .binding($0), method: $0.bind(noWait: false))
        }
    }

    /// Declares again.
    ///
    /// - Parameter waitsForEnd: Whether to wait until the channels that it takes are free again.
    func replay(
        _ declared: DeclaredTopology,
        on link: Link,
        _ report: inout RecoveryReport,
        waitsForEnd: Bool = false
    ) async throws {
        try await redeclare(declared, on: link, &report, waitsForEnd)
        // By their names as they are now.
        let bindings = Self.bindingSteps(topology.everything.bindings, configuration.recovery)
        try await replay(bindings, on: link, &report, waitsForEnd)
        try await replayMissed(bindings, on: link, &report, waitsForEnd)
    }

    /// Declares exchanges and queues again, and binds nothing.
    func redeclare(
        _ declared: DeclaredTopology,
        on link: Link,
        _ report: inout RecoveryReport,
        _ waitsForEnd: Bool
    ) async throws {
        for part in Self.steps(declared, configuration.recovery) {
            try await replay(part, on: link, &report, waitsForEnd)
        }
        // Exclusive queues are the old connection's until the broker has noticed that it is gone.
        var patience = 0
        while patience < 5, report.refused.contains(where: { $0.error.code == .resourceLocked }) {
            patience += 1
            try await DeadlineTimer.shared.sleep(for: .milliseconds(20 * patience))
            let locked = report.refused.filter { $0.error.code == .resourceLocked }
            report.refused.removeAll { $0.error.code == .resourceLocked }
            let again = DeclaredTopology(
                queues: locked.compactMap { refusal in
                    if case .queue(let queue) = refusal.entity { QueueIdentity(queue) } else { nil }
                }
            )
            for part in Self.steps(again, configuration.recovery) {
                try await replay(part, on: link, &report, waitsForEnd)
            }
        }
    }

    /// Sends all steps, and hears the answers. After one that is refused the others go on, on another channel.
    func replay(
        _ steps: [ReplayStep],
        on link: Link,
        _ report: inout RecoveryReport,
        _ waitsForEnd: Bool
    ) async throws {
        var left = steps[...]
        while !left.isEmpty {
            let session = try ChannelSession.make(on: link)
            defer { session.closeInBackground() }
            // The steps don't wait for the channel: that would be one more way there and back.
            let opening = try session.beginOpening()
            let calls = left.map { step in
                Result<PendingCall, AMQPError> { () throws(AMQPError) in try session.begin(step.method) }
            }
            _ = try await session.answer(to: opening)
            var done = 0
            for (step, call) in zip(left, calls) {
                do {
                    let reply = try await session.answer(to: try call.get())
                    done += 1
                    note(step, reply, &report)
                } catch let error as AMQPError {
                    if let reason = link.ended.current { throw reason }
                    if error.isConnectionFatal || error.code == .timedOut { throw error }
                    // Those behind it were not looked at.
                    guard !error.isOverAnotherCall else { break }
                    done += 1
                    refuse(step, error, &report)
                    break
                }
            }
            if done == 0 {
                // Nobody says which it was: one after the other.
                guard let first = left.first else { return }
                let error = session.state.withLock { $0.closeReason } ?? ChannelSession.wrongAnswer
                refuse(first, error, &report)
                done = 1
            }
            left = left.dropFirst(done)
            if waitsForEnd { await session.close() }
        }
    }

    /// Declares queues again that the broker has deleted with their last consumers, which are about to come back.
    func declareAgain(_ queues: [QueueIdentity], on link: Link) async throws {
        let names = Set(queues.filter(\.queue.autoDelete).map(\.name))
        for identity in topology.everything.queues where names.contains(identity.name) {
            if try await hasQueue(identity.name) { continue }
            var report = RecoveryReport()
            try await replayPart(DeclaredTopology(queues: [identity]), on: link, &report)
        }
    }

    private func note(_ step: ReplayStep, _ reply: Reply, _ report: inout RecoveryReport) {
        noteFleeting(step.entity)
        switch step.entity {
        case .exchange: report.exchanges += 1
        case .binding: report.bindings += 1
        case .queue(let queue):
            report.queues += 1
            state.withLock { _ = $0.undeclared.remove(queue.name) }
            guard let identity = step.identity, case .method(.queueDeclareOk(let answer)) = reply else { return }
            guard answer.name != queue.name else { return }
            let former = state.withLock { state in
                let former = state.formerNames.removeValue(forKey: queue.name) ?? queue.name
                state.formerNames[answer.name] = former
                return former
            }
            report.renamed[former] = answer.name
            topology.rename(identity, to: answer.name)
        }
    }

    private func refuse(_ step: ReplayStep, _ error: AMQPError, _ report: inout RecoveryReport) {
        report.refused.append(RecoveryReport.Refusal(entity: step.entity, error: error))
        if case .queue(let queue) = step.entity {
            state.withLock { state in
                if error.isRetryable {
                    state.undeclared.insert(queue.name)
                } else {
                    state.undeclared.remove(queue.name)
                }
            }
        }
        logger.log(
            level: error.isRetryable ? .debug : .warning,
            "something that was declared was not brought back",
            metadata: [LogKey.entity: "\(step.entity)", LogKey.reason: "\(error)"]
        )
    }

    /// Whether a queue is still to be declared again.
    func isDeclaring(_ queue: String) -> Bool {
        state.withLock { $0.undeclared.contains(queue) }
            && topology.everything.queues.contains { $0.name == queue }
    }

    /// Goes on declaring what was refused on a link for a reason that passes, until it works, or the connection is lost
    /// again: what the next link refuses is another's. A queue that the broker names would have two names.
    func retry(_ entities: [RecoveryPolicy.Entity], on link: Link) {
        guard !entities.isEmpty else { return }
        Task { [self] in
            var schedule = RecoverySchedule(configuration.recovery)
            schedule.skipFirst()
            var left = Set(entities)
            while !left.isEmpty, openLink === link {
                try? await DeadlineTimer.shared.sleep(for: schedule.next(.random(in: 0...1)))
                guard openLink === link else { return }
                // What was deleted meanwhile does not come back.
                let declared = topology.everything
                var report = RecoveryReport()
                let again = DeclaredTopology(
                    exchanges: declared.exchanges.filter { left.contains(.exchange($0)) },
                    queues: declared.queues.filter { left.contains(.queue($0.queue)) },
                    bindings: declared.bindings.filter { left.contains(.binding($0)) }
                )
                do {
                    try await replayPart(again, on: link, &report)
                } catch {
                    // Unless the link has ended, it was an answer that did not come, or no channel was free: that passes, and
                    // what is not declared by this task no other declares.
                    continue
                }
                left = Set(report.refused.filter(\.error.isRetryable).map(\.entity))
            }
        }
    }
}

extension RecoveryPolicy.Entity: CustomStringConvertible {
    /// What it is, in words.
    public var description: String {
        switch self {
        case .exchange(let exchange): exchange.description
        case .queue(let queue): queue.description
        case .binding(let binding): binding.description
        }
    }
}

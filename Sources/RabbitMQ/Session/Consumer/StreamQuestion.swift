internal import Logging
internal import Synchronization

/// Whether a queue whose type isn't known is a stream, where that matters: before 4.0 RabbitMQ closes the connection (540)
/// when a stream's message is rejected, later it takes that for an acknowledgement.
///
/// Deliveries that say that they are a stream's are not given back until the broker was asked; one that can't be a stream's
/// decides for all.
final class StreamQuestion: Sendable {
    private struct State {
        var evidence = StreamEvidence()
        var isBeingAsked = false
        /// How often the broker was asked.
        var asked = 0
        /// What waits for the answer.
        var waiting: [UInt64] = []
    }

    private enum Answer: UInt8, AtomicRepresentable {
        case unknown, stream, other
    }

    private let state = Mutex(State())
    /// How often the broker is asked: what has kept it from answering may have passed, or may never pass.
    private static let mostAsked = 8

    /// Changed under the lock.
    private let answer = Atomic(Answer.unknown)
    private let session: ChannelSession
    private let queue: ClientMethod.DeclareQueue

    init(session: ChannelSession, queue: ClientMethod.DeclareQueue) {
        self.session = session
        self.queue = queue
    }

    /// The answer, once there is one.
    var isStream: Bool? {
        switch answer.load(ordering: .relaxed) {
        case .unknown: nil
        case .stream: true
        case .other: false
        }
    }

    /// Notes what a delivery says.
    func consider(tag: UInt64, redelivered: Bool, offset: UInt64?) {
        guard isStream == nil else { return }
        let excludesStream = state.withLock { state in
            state.evidence.consider(tag: tag, redelivered: redelivered, offset: offset)
            if state.evidence.excludesStream, isStream == nil { answer.store(.other, ordering: .relaxed) }
            return state.evidence.excludesStream
        }
        // What waits for the answer has it.
        if excludesStream { settle() }
    }

    func consider(_ message: IncomingMessage) {
        guard isStream == nil else { return }
        consider(tag: message.deliveryTag, redelivered: message.redelivered, offset: message.streamOffset)
    }

    /// Gives back deliveries that nobody will see, now or when it is known how.
    func giveBack(_ tags: [UInt64]) {
        // To ask about what is settled already, or with the broker again, costs a channel for nothing.
        let tags = session.unsettled(among: tags)
        guard !tags.isEmpty else { return }
        let asks = state.withLock { state in
            state.waiting += tags
            guard !state.isBeingAsked, state.asked < Self.mostAsked, isStream == nil else { return false }
            state.isBeingAsked = true
            state.asked += 1
            return true
        }
        if asks { CallTimeout.withNone { _ = Task { await ask() } } }
        settle()
    }

    private func settle() {
        let tags = state.withLock { state -> [UInt64] in
            guard isStream != nil else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        guard !tags.isEmpty else { return }
        // A stream keeps its messages, whoever has settled them. Unsettled, they would hold up all behind them.
        if isStream == true {
            for tag in tags { try? session.acknowledge(tag, multiple: false) }
        } else {
            session.requeue(tags)
        }
    }

    private func ask() async {
        guard let isStream = await session.link.askWhetherStream(queue) else {
            state.withLock { $0.isBeingAsked = false }
            // With the channel all have gone back.
            guard session.isOpen else { return }
            session.link.logger.warning(
                "messages stay with their channel because their queue may be a stream: declare it with its x-queue-type",
                metadata: [
                    LogKey.queue: "\(queue.name.printable())", LogKey.channel: "\(session.number)",
                ]
            )
            return
        }
        state.withLock { _ in
            if self.isStream == nil { answer.store(isStream ? .stream : .other, ordering: .relaxed) }
        }
        settle()
    }
}

extension Link {
    /// Whether a queue, which is left as it is, is a stream; nil if the broker doesn't tell.
    ///
    /// Declared with a type that none has, the broker compares it with the queue that there is, and says how they differ.
    /// Nothing is made if there is none.
    ///
    /// - Parameter queue: What is known of how it was declared. If anything else differs, the broker may name that.
    nonisolated fileprivate func askWhetherStream(_ queue: ClientMethod.DeclareQueue) async -> Bool? {
        var declaration = queue
        declaration.arguments["x-queue-type"] = "any"
        do {
            let session = try await ChannelSession.open(on: self)
            defer { session.closeInBackground() }
            _ = try await session.call(.queueDeclare(declaration))
            return nil
        } catch {
            guard let error = error as? AMQPError, let text = error.replyText else { return nil }
            if let type = QueueType(inRefusal: text) { return type == .stream }
            // Not declared as exclusive, it can be refused so only because it is.
            if error.code == .resourceLocked, !queue.exclusive { return false }
            return StreamEvidence.excludesStream(refusal: text) ? false : nil
        }
    }
}

extension QueueType {
    /// Reads what RabbitMQ says of a queue that was declared with another type: "inequivalent arg 'x-queue-type' for queue
    /// 'q' in vhost '/': received 'any' but current is 'quorum'"; or "current is none", which is a classic one.
    init?(inRefusal text: String) {
        guard text.contains("inequivalent arg 'x-queue-type'"),
            let current = text.components(behindLast: "but current is ")
        else { return nil }
        if current.hasPrefix("none") {
            self = .classic
        } else {
            let name = current.drop { $0 != "'" }.dropFirst().prefix { $0 != "'" }
            guard !name.isEmpty else { return nil }
            self.init(rawValue: String(name))
        }
    }
}

extension String {
    /// What stands behind the last of these words; nil if they are not there.
    fileprivate func components(behindLast words: String) -> Substring? {
        var rest = self[...]
        var found: Substring?
        while let range = rest.firstRange(of: words) {
            rest = rest[range.upperBound...]
            found = rest
        }
        return found
    }
}

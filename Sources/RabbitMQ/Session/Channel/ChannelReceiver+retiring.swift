internal import Synchronization

/// What is waited for before a channel is closed: the answers behind which nothing more is delivered.
///
/// What a channel's end returns counts towards a quorum queue's delivery limit, whether anybody has seen it or not. So
/// consumers are cancelled first, and what nobody has seen is given back by basic.nack, where that doesn't count.
struct Retirement {
    let timer: UInt64
    var then: [() -> Void]

    /// How long the broker may take; then the channel is closed all the same.
    static let longest = Duration.seconds(1)
}

/// Consumers that have ended while their channel lives, whose messages may be left behind one that is being handled.
struct LeavingConsumers {
    private var consumers = WeakConsumers()

    var count: Int { consumers.count }

    /// Notes one. It gets no more, so that one that has nothing left now is not needed.
    mutating func add(_ consumer: Consumer) {
        guard consumer.buffer.hasUnseen else { return }
        consumers.add(consumer) { $0.buffer.hasUnseen }
    }

    mutating func removeAll() -> [Consumer] {
        defer { consumers = WeakConsumers() }
        return consumers.all
    }
}

extension ChannelReceiver {
    /// Notes a consumer that has ended while the channel lives.
    func noteLeaving(_ consumer: Consumer?) {
        guard let consumer, !consumer.noAck, session.link.nackSparesLimit.load(ordering: .relaxed) else {
            return
        }
        leaving.add(consumer)
    }

    /// Closes the channel from our side, when nothing that nobody has seen is left on it.
    func close(_ error: AMQPError, replyCode: ReplyCode = .success) {
        retireConsumers(error) { [session] in
            // It may have ended meanwhile, for a reason of its own.
            if session.isOpen { session.beginClosing(error, replyCode: replyCode) }
        }
    }

    /// Ends the consumers that settle, and gives back what they have not seen and what still comes.
    ///
    /// - Parameters:
    ///   - reason: The end that they, and those who wait for a message, get to know.
    ///   - then: Called when nothing more is on its way, when the channel has ended, or at the latest after a while.
    func retireConsumers(_ reason: AMQPError, then: @escaping () -> Void) {
        for consumer in leaving.removeAll() { consumer.retire(reason) }
        guard session.link.nackSparesLimit.load(ordering: .relaxed), session.state.withLock({ $0.mayBeDeliveredTo })
        else { return then() }
        guard retirement == nil else {
            retirement?.then.append(then)
            return
        }
        handOver()
        let calls = session.state.withLock { $0.callsForDeliveries }
        let retired = (consumers.all + calls.compactMap(\.consumer)).filter { !$0.noAck }
        let limit = min(Retirement.longest, session.link.configuration.closeTimeout / 2)
        let timer = DeadlineTimer.shared.add(after: limit) { [session] in
            session.link.onQueue { $0.receiver(of: session)?.endRetiring() }
        }
        retirement = Retirement(timer: timer, then: [then])
        for consumer in retired { consumer.retire(reason) }
        for call in calls { call.reply.fail(reason) }
        continueRetiring()
    }

    /// Goes on if nothing more is waited for.
    func continueRetiring() {
        guard retirement != nil, !consumers.all.contains(where: { $0.isCancelling && !$0.noAck }),
            session.state.withLock({ $0.callsForDeliveries.isEmpty })
        else { return }
        endRetiring()
    }

    /// Goes on, whatever is still waited for.
    func endRetiring() {
        guard let retirement else { return }
        self.retirement = nil
        DeadlineTimer.shared.remove(retirement.timer)
        for then in retirement.then { then() }
    }
}

extension Link {
    /// What takes the frames of a channel, while there is something to take.
    func receiver(of session: ChannelSession) -> ChannelReceiver? {
        takeRegistered()
        guard let receiver = inboxes[session.number] as? ChannelReceiver, receiver.session === session else {
            return nil
        }
        return receiver
    }
}

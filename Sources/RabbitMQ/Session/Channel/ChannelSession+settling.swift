internal import Synchronization

/// Settling deliveries.
extension ChannelSession {
    /// Acknowledges a delivery with the next flush, merged with others.
    ///
    /// - Parameter source: Where it came from: whether somebody waits there for the next, which the broker may keep back until
    ///   then; not while others are being handled that may go along.
    @inline(__always)
    func acknowledge(_ tag: UInt64, multiple: Bool, from source: DeliverySource? = nil) throws(AMQPError) {
        let (isFirst, wasEnough, wasInCompany, isAwaited) = try state.withLock { state throws(AMQPError) in
            if let reason = state.settlingRefusal { throw Self.stale(reason) }
            let isFirst = !state.settlements.hasUnwritten
            try Self.check(state.settlements.acknowledge(tag, multiple: multiple), tag)
            return (isFirst, state.isEnough, state.isInCompany, state.rest.isAwaited)
        }
        // Not before it is sure to be written: who waits for that closes the connection.
        defer { if isAwaited { tellOfRest() } }
        var (isEnough, isInCompany) = (wasEnough, wasInCompany)
        if isFirst {
            if let refused = outbox.settleSoon(self, from: link.sender) {
                if let error = discardAcknowledgements(refused) { throw error }
                return
            }
            // Who has come behind it meanwhile found nothing to hurry, though it may have been enough, or the last.
            if !isEnough { (isEnough, isInCompany) = state.withLock { ($0.isEnough, $0.isInCompany) } }
        }
        let isUrgent = !isInCompany && source.map { $0.awaiting.load(ordering: .relaxed) > 0 } == true
        if isEnough || isUrgent { outbox.settleNow() }
    }

    /// Has the broker told what is acknowledged, before somebody waits for what it may send then.
    func settleNow() {
        // Whoever acknowledges behind this knows that it is waited for.
        state.withLock { _ in }
        outbox.settleNow()
    }

    /// Whether what is acknowledged may be left to the next read, though somebody waits for more: that comes in a
    /// moment, and the broker has leave for more than it brings. The first alone does not do: another channel may be the
    /// fast one, and the broker would wait for this one's acknowledgements for all of their time.
    var leavesToNextRead: Bool { state.withLock { $0.leavesRoom } && link.readsSoon.load(ordering: .relaxed) }

    /// Writes what is acknowledged, also by those who have not told the outbox yet.
    func writeAcknowledgements() {
        do throws(AMQPError) {
            try outbox.append(from: link.sender) { buffer throws(AMQPError) in writeSettlements(to: buffer) }
        } catch {
            // The connection is being closed, or has ended: the broker has the deliveries again.
        }
    }

    /// Takes back acknowledgements that can't be written any more, so that each later one is refused too.
    ///
    /// - Returns: What to throw; nil if all of them were written meanwhile.
    private func discardAcknowledgements(_ reason: AMQPError) -> AMQPError? {
        state.withLock { $0.settlements.takeBackAcknowledgements() } ? Self.stale(reason) : nil
    }

    /// Rejects a delivery.
    ///
    /// - Parameter usesNack: Whether to send RabbitMQ's basic.nack, which knows `multiple`, or AMQP's basic.reject.
    func reject(_ tag: UInt64, requeue: Bool, multiple: Bool, usesNack: Bool) throws(AMQPError) {
        if let reason = state.withLock({ $0.closeReason }) { throw Self.stale(reason) }
        let rejection = Rejection(tag: tag, requeue: requeue, multiple: multiple, usesNack: usesNack)
        do throws(AMQPError) {
            try outbox.append(from: link.sender) { buffer throws(AMQPError) in
                let isHeldBack = try state.withLock { state throws(AMQPError) in
                    if let reason = state.closeReason { throw Self.stale(reason) }
                    // What is acknowledged already must not be rejected by `multiple`.
                    self.writeAcknowledgements(&state, to: buffer)
                    let before = state.settlements.unsettledCount
                    try Self.check(state.settlements.reject(tag, multiple: multiple), tag)
                    let count = before - state.settlements.unsettledCount
                    if requeue { tally.requeued.add(count) } else { tally.rejected.add(count) }
                    return state.holdBack(.rejection(rejection))
                }
                if !isHeldBack { try write(rejection, to: buffer) }
            }
        } catch {
            // The connection is being closed, or has ended.
            throw error.isConnectionFatal ? Self.stale(error) : error
        }
        tellOfRest()
    }

    /// Which of these deliveries wait for their settlement: none on a channel that is closed.
    func unsettled(among tags: [UInt64]) -> [UInt64] {
        state.withLock { state in state.closeReason == nil ? tags.filter(state.settlements.isUnsettled) : [] }
    }

    /// Whether a delivery is settled, and the broker was told; also on a channel that is closed.
    func hasSettled(_ tag: UInt64) -> Bool { state.withLock { $0.settlements.isSettled(tag) } }

    /// Gives deliveries back to the broker that nobody has seen; on a channel that is closed they are there already.
    ///
    /// By basic.nack, which RabbitMQ doesn't count towards a quorum queue's delivery limit from 4.3 on.
    func requeue(_ tags: some Sequence<UInt64>) {
        do throws(AMQPError) {
            try outbox.append(from: link.sender) { buffer throws(AMQPError) in
                try state.withLock { state throws(AMQPError) in
                    guard state.closeReason == nil else { return }
                    // What is acknowledged already must not be rejected by `multiple`.
                    writeAcknowledgements(&state, to: buffer)
                    let before = state.settlements.unsettledCount
                    let (upTo, others) = state.settlements.giveBack(tags)
                    tally.givenBack.add(before - state.settlements.unsettledCount)
                    if let upTo { try giveBack(upTo, multiple: true, &state, to: buffer) }
                    for tag in others { try giveBack(tag, multiple: false, &state, to: buffer) }
                }
            }
        } catch {
            // The connection is being closed, or has ended: the broker has the deliveries again.
        }
        tellOfRest()
    }

    private func giveBack(
        _ tag: UInt64,
        multiple: Bool,
        _ state: inout ChannelState,
        to buffer: OutboundBuffer
    ) throws(AMQPError) {
        let rejection = Rejection(tag: tag, requeue: true, multiple: multiple, usesNack: true)
        if !state.holdBack(.rejection(rejection)) { try write(rejection, to: buffer) }
    }

    /// The broker has answered a commit: what was settled and called meanwhile goes out, before any message.
    func endCommit() {
        let (frameMax, pool) = (outbox.frameMax, Pool())
        do throws(AMQPError) {
            try outbox.append(from: link.sender) { buffer throws(AMQPError) in
                state.withLock { state in
                    let heldBack = state.endCommit()
                    guard state.closeReason == nil else { return }
                    writeAcknowledgements(&state, to: buffer)
                    for item in heldBack {
                        switch item {
                        case .rejection(let rejection): try? write(rejection, to: buffer)
                        // It was encoded before, to see that it can be.
                        case .method(let method):
                            try? buffer.append(method, channel: number, frameMax: frameMax, pool: pool)
                        }
                    }
                }
            }
        } catch {
            // The connection is being closed, or has ended: the broker has the deliveries again.
            _ = state.withLock { $0.endCommit() }
            _ = discardAcknowledgements(error)
        }
        passTurn()
    }

    func writeSettlements(to buffer: OutboundBuffer) {
        state.withLock { state in
            guard state.closeReason == nil else { return }
            writeAcknowledgements(&state, to: buffer)
        }
    }

    func endSettlements(_ reason: AMQPError, to buffer: OutboundBuffer) {
        state.withLock { state in
            guard state.closeReason == nil else { return }
            writeAcknowledgements(&state, to: buffer)
            state.settlementsEnd = reason
        }
    }

    private func writeAcknowledgements(_ state: inout ChannelState, to buffer: OutboundBuffer) {
        let before = state.settlements.unwrittenCount
        guard before > 0 else { return }
        defer { tally.acknowledged.add(before - state.settlements.unwrittenCount) }
        state.takeAcknowledgements { tag, multiple in
            // Its 13 bytes of arguments fit into any frame.
            try? buffer.appendAck(channel: number, deliveryTag: tag, multiple: multiple)
        }
    }

    private func write(_ rejection: Rejection, to buffer: OutboundBuffer) throws(AMQPError) {
        let (tag, requeue) = (rejection.tag, rejection.requeue)
        if rejection.usesNack {
            try buffer.appendNack(channel: number, deliveryTag: tag, multiple: rejection.multiple, requeue: requeue)
        } else {
            try buffer.appendReject(channel: number, deliveryTag: tag, requeue: requeue)
        }
    }

    private static func check(_ verdict: SettlementLedger.Verdict, _ tag: UInt64) throws(AMQPError) {
        switch verdict {
        case .accepted: return
        case .alreadySettled: throw AMQPError(.alreadySettled, "the delivery \(tag) is settled already")
        case .unknown: throw AMQPError(.alreadySettled, "the delivery \(tag) is not one that waits to be settled")
        }
    }

    static func stale(_ reason: AMQPError) -> AMQPError {
        AMQPError(
            .staleDelivery,
            "the delivery's channel is gone, and the broker has the message again: \(reason.message)",
            underlying: reason.method == nil ? reason : reason.overAnotherCall
        )
    }
}

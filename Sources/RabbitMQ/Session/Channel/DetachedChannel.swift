#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import Synchronization

/// A channel that belongs to no connection, for messages and receipts that tests make by hand: what it would send stays in
/// memory. The test kit is built on it.
package final class DetachedChannel: Sendable {
    private let session: ChannelSession
    private let lease: ChannelLease
    private let lastTag = Mutex<UInt64>(0)

    package init() {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        let host = DetachedHost(session: session)
        self.session = session
        lease = ChannelLease(host: host, connection: ConnectionLease(host: host))
        // As if it were set: nobody flushes, so that it would come again and again.
        session.outbox.state.withLock { $0.hasSettlingTimer = true }
    }

    /// A message as if it had been delivered on the channel.
    ///
    /// - Parameter consumerTag: nil as if it had been asked for.
    package func deliver(
        _ message: Message,
        exchangeName: String,
        routingKey: String,
        redelivered: Bool,
        consumerTag: String?,
        queue: String,
        noAck: Bool
    ) -> IncomingMessage {
        let source = DeliverySource(
            session: session,
            lease: lease,
            queue: queue,
            consumerTag: consumerTag,
            noAck: noAck,
            messagesLeft: consumerTag == nil ? 0 : nil
        )
        // The ledger takes tags in their order.
        let tag = lastTag.withLock { last in
            last += 1
            if !noAck { session.state.withLock { [last] in $0.delivered(CollectionOfOne(last)) } }
            return last
        }
        return IncomingMessage(
            message: message,
            deliveryTag: tag,
            redelivered: redelivered,
            exchangeName: exchangeName,
            routingKey: routingKey,
            source: source
        )
    }

    /// Takes the frames that would have been sent by now.
    package func takeFrames() -> [UInt8] {
        session.outbox.state.withLock { state in
            state.writeSettlements()
            var bytes: [UInt8] = []
            _ = try? state.buffer.drain { pieces in
                for piece in pieces { bytes += UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len) }
                return pieces.reduce(0) { $0 + $1.iov_len }
            }
            state.buffer.clear()
            return bytes
        }
    }

    /// Ends the channel: from now on nothing can be settled.
    package func end(_ reason: AMQPError) { session.finish(reason) }

    /// A receipt, and what sets its outcome: nil for confirmed.
    package func makeReceipt() -> (receipt: PublishReceipt, settle: @Sendable (AMQPError?) -> Void) {
        let confirm = PendingConfirm(run: PublishRun(session: session, exchange: ""), size: 0)
        let settle: @Sendable (AMQPError?) -> Void = { error in
            if let error { confirm.fail(error) } else { confirm.confirm() }
        }
        return (PublishReceipt(confirm: confirm), settle)
    }
}

/// What a channel has beyond its session that has nothing beyond it.
private final class DetachedHost: ChannelHost, ConnectionHost {
    let session: ChannelSession

    init(session: ChannelSession) { self.session = session }

    var goesOn: Bool { false }

    func decideReplacement(of session: ChannelSession, after reason: AMQPError) -> Bool { false }
    func ended(_ session: ChannelSession, _ reason: AMQPError, isReplaced: Bool) {}
    func keep(_ messages: [UnconfirmedMessage]) -> AMQPError? { nil }
    func beginTakingUpAgain(_ consumer: Consumer, _ reason: AMQPError) -> Bool { false }
    func forget(_ consumer: Consumer) {}
    func release() {}
}

import Synchronization

@testable import RabbitMQ

/// A channel that is no more than one session.
final class FixedChannel: ChannelHost {
    let session: ChannelSession

    init(_ session: ChannelSession) { self.session = session }

    var goesOn: Bool { false }
    func decideReplacement(of session: ChannelSession, after reason: AMQPError) -> Bool { false }
    func ended(_ session: ChannelSession, _ reason: AMQPError, isReplaced: Bool) {}
    func keep(_ messages: [UnconfirmedMessage]) -> AMQPError? { AMQPError(.channelClosed, "it has one session") }
    func beginTakingUpAgain(_ consumer: Consumer, _ reason: AMQPError) -> Bool { false }
    func forget(_ consumer: Consumer) {}
    func release() { session.closeInBackground() }
}

/// A connection that is no more than one link.
final class FixedConnection: ConnectionHost {
    private let link: Link

    init(_ link: Link) { self.link = link }

    func release() { link.onQueue { $0.beginClosing() } }
}

extension ConnectionLease {
    convenience init(link: Link) { self.init(host: FixedConnection(link)) }
}

extension ChannelLease {
    convenience init(session: ChannelSession, connection: ConnectionLease) {
        self.init(host: FixedChannel(session), connection: connection)
    }
}

extension DeliverySource {
    /// Where a consumer's messages come from on a channel that was never opened, of a link that was never connected.
    static func unconnected(noAck: Bool = false, version: ServerVersion? = nil) -> DeliverySource {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        let lease = ChannelLease(session: session, connection: ConnectionLease(link: session.link))
        return DeliverySource(lease: lease, queue: "q", consumerTag: "c", noAck: noAck, version: version)
    }

    convenience init(
        lease: ChannelLease,
        queue: String,
        consumerTag: String?,
        noAck: Bool,
        isStream: Bool = false,
        question: StreamQuestion? = nil,
        queueType: QueueType? = nil,
        hasDeadLetterExchange: Bool = false,
        version: ServerVersion? = nil
    ) {
        self.init(
            session: lease.session,
            lease: lease,
            queue: queue,
            consumerTag: consumerTag,
            noAck: noAck,
            isStream: isStream,
            question: question,
            queueType: queueType,
            hasDeadLetterExchange: hasDeadLetterExchange,
            version: version
        )
    }
}

extension Outbox {
    /// As the link that uses it.
    private var sender: UInt32 { state.withLock { $0.sender } }

    func send(
        _ method: ClientMethod,
        channel: UInt16,
        settling: (any SettlementWriter)? = nil,
        isFarewell: Bool = false,
        register: () throws(AMQPError) -> Encoded = { .keep }
    ) throws(AMQPError) {
        try send(
            method,
            channel: channel,
            from: sender,
            settling: settling,
            isFarewell: isFarewell,
            register: register
        )
    }

    func append(_ encode: (OutboundBuffer) throws(AMQPError) -> Void) throws(AMQPError) {
        try append(from: sender, encode)
    }

    func settleSoon(_ writer: any SettlementWriter) -> AMQPError? { settleSoon(writer, from: sender) }

    func end(_ error: AMQPError) { end(error, from: sender) }
}

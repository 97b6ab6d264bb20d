import Synchronization
import TestSupport

@testable import RabbitMQ

/// Consumers on a channel that was never opened, of a link that was never connected: for tests that play the broker's part
/// and the application's. What is sent stays in the outbox.
struct UnconnectedConsumers {
    let session: ChannelSession
    private let lease: ChannelLease

    init() {
        session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        session.outbox.frameMax = 131_072
        lease = ChannelLease(session: session, connection: ConnectionLease(link: session.link))
    }

    func consumer(
        _ tag: String,
        noAck: Bool = false,
        callback: Consumer.Callback? = nil,
        _ plan: CallbackPlan = CallbackPlan()
    ) -> Consumer {
        Consumer(
            tag: tag,
            source: DeliverySource(lease: lease, queue: "q", consumerTag: tag, noAck: noAck),
            buffer: DeliveryBuffer(gauge: session.link.gauge),
            callback: callback,
            plan: plan
        )
    }

    /// A message as it is when it was put together, and entered as one to be settled.
    func message(_ tag: UInt64, for consumer: Consumer) -> IncomingMessage {
        if !consumer.source.noAck { session.state.withLock { $0.settlements.delivered(tag) } }
        return IncomingMessage(
            message: Message(body: [UInt8](repeating: 1, count: 10)),
            deliveryTag: tag,
            redelivered: false,
            exchangeName: "",
            routingKey: "",
            source: consumer.source
        )
    }

    /// A run of such messages.
    func run(_ tags: some Sequence<UInt64>, for consumer: Consumer) -> DeliveryRun {
        let run = DeliveryRun(chunks: session.link.chunks)
        run.begin(consumer.source)
        for tag in tags { run.append(message(tag, for: consumer)) }
        return run
    }

    /// How many deliveries nobody has settled, or given back.
    var unsettledCount: Int { session.state.withLock { $0.settlements.unsettledCount } }

    /// What was sent that goes to the broker next.
    func sent() throws -> [PeerFrame] {
        guard case .write(let buffer) = session.outbox.exchange(OutboundBuffer(), after: 0) else { return [] }
        return frames(in: try drained(buffer))
    }
}

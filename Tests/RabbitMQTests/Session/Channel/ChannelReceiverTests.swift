import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what a channel receives")
struct ChannelReceiverTests {
    private let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)

    /// Has the receiver take something in that nobody has asked for.
    private let unasked: [@Sendable (ChannelReceiver) throws -> Void] = [
        { _ = try $0.receive(.queuePurgeOk(messageCount: 1)) },
        { _ = try $0.receive(.basicConsumeOk(consumerTag: "c")) },
        {
            let get = ServerMethod.GetOk(
                deliveryTag: 1,
                redelivered: false,
                exchange: "",
                routingKey: "",
                messageCount: 0
            )
            _ = try $0.receive(.basicGetOk(get))
        },
        { receiver in
            let frame = PeerFrame.delivery([1], tag: 1, consumer: "c")[0].bytes
            try frame.withUnsafeBytes { bytes in
                try receiver.receive(try MethodDecoder().deliver(UnsafeRawBufferPointer(rebasing: bytes[7...])))
            }
        },
    ]

    @Test func `what nobody has asked for is a violation`() {
        let receiver = ChannelReceiver(session: session, hasPredecessor: false)
        for receive in unasked {
            let error = #expect(throws: AMQPError.self) { try receive(receiver) }
            #expect(error?.code == .protocolViolation)
        }
    }

    /// The calls are taken from the channel's state as it begins to close, by another thread.
    @Test func `what comes just as the channel begins to close is none`() throws {
        let receiver = ChannelReceiver(session: session, hasPredecessor: false)
        _ = session.state.withLock { $0.beginClosing(AMQPError(.channelClosed, "closed")) }
        for receive in unasked { try receive(receiver) }
    }
}

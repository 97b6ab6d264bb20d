import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A message that is published at once", .timeLimit(.minutes(1)))
struct PublishingAtOnceTests {
    /// With frames of 4,096 bytes.
    private static func port(unconfirmed limit: Int) -> (ChannelSession, PublishingPort) {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        session.outbox.frameMax = 4096
        session.state.withLock { state in
            state.confirms = ConfirmLedger(limit: limit)
            session.showMode(state)
        }
        let port = PublishingPort(outbox: session.outbox, maxMessageSize: 1 << 20)
        port.open(session)
        return (session, port)
    }

    @Test func `has the next number, which one that can't be encoded does not take`() throws {
        let (session, port) = Self.port(unconfirmed: 2)
        let small = Message(body: [1])
        let large = Message(body: [1], headers: ["x": .string(String(repeating: "x", count: 5000))])
        let first = try #require(try port.publishAtOnce(small, exchange: "", routingKey: "q", mandatory: true))
        for _ in 0..<3 {
            #expect(throws: AMQPError.self) {
                try port.publishAtOnce(large, exchange: "", routingKey: "q", mandatory: true)
            }
        }
        let second = try #require(try port.publishAtOnce(small, exchange: "", routingKey: "q", mandatory: false))
        let third = try port.publishAtOnce(small, exchange: "", routingKey: "q", mandatory: false)
        #expect(third == nil, "there are two places")
        session.settlePublished(2, multiple: false, error: nil)
        #expect(first.outcome == nil)
        guard case .success? = second.outcome else {
            Issue.record("the second message's number is not 2")
            return
        }
    }

    @Test func `is told of once it is sent, and not if it has to wait for a session`() throws {
        let (session, port) = Self.port(unconfirmed: 2)
        let told = Atomic(0)
        func publish() throws -> PublishReceipt? {
            try port.publishAtOnce(Message(body: [1]), exchange: "", routingKey: "q", mandatory: true) {
                told.add(1, ordering: .relaxed)
            }
        }
        let sent = try publish()
        #expect(sent != nil)
        #expect(told.load(ordering: .relaxed) == 1)
        port.close()
        let unsent = try publish()
        #expect(unsent == nil)
        #expect(told.load(ordering: .relaxed) == 1)
        withExtendedLifetime(session) {}
    }

    @Test(arguments: [1, 100_000])
    func `leaves no byte of itself where it has to wait for a place`(size: Int) throws {
        let (session, port) = Self.port(unconfirmed: 1)
        let message = Message(body: [UInt8](repeating: 1, count: size))
        func publish() throws -> PublishReceipt? {
            try port.publishAtOnce(message, exchange: "", routingKey: "q", mandatory: true)
        }
        let first = try publish()
        let before = session.outbox.pending
        for _ in 0..<3 {
            let receipt = try publish()
            #expect(receipt == nil)
        }
        #expect(session.outbox.pending == before && before > size)
        session.settlePublished(1, multiple: false, error: nil)
        let second = try publish()
        #expect(session.outbox.pending == 2 * before)
        session.settlePublished(2, multiple: false, error: nil)
        for receipt in [first, second] {
            guard case .success? = receipt?.outcome else {
                Issue.record("its number is another")
                continue
            }
        }
    }
}

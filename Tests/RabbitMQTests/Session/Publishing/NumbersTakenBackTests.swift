import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The number of a message that can't be encoded", .timeLimit(.minutes(1)))
struct NumbersTakenBackTests {
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

    @Test func `is the next one's`() throws {
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

    @Test func `is given once whoever sends the message is told, and nobody is told of one that has to wait`() throws {
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

    @Test func `leaves nobody waiting who came while it was given`() throws {
        let (session, _) = Self.port(unconfirmed: 1)
        let numbered = session.number(Message(body: [1]), "", "q", mandatory: false, place: .ifFree)
        let confirm = try #require(numbered)
        let place = session.state.withLock { $0.confirms?.reserve() }
        let rest = session.state.withLock { $0.joinRest(.confirmed(upTo: 1)) }
        #expect(place?.isSettled == false && rest?.isSettled == false)
        session.takeNumberBack()
        session.noteTakenBack(confirm)
        #expect(place?.isSettled == true && rest?.isSettled == true)
        guard case .success? = confirm.outcome else {
            Issue.record("whoever has listed it waits for an outcome")
            return
        }
    }

    @Test func `is told of by who publishes in vain`() {
        let (session, port) = Self.port(unconfirmed: 1)
        let large = Message(body: [1], headers: ["x": .string(String(repeating: "x", count: 5000))])
        let rest = session.state.withLock { $0.rest.join(.confirmed(upTo: 1)) }
        #expect(throws: AMQPError.self) {
            try port.publishAtOnce(large, exchange: "", routingKey: "q", mandatory: true)
        }
        #expect(rest.isSettled)
    }

    @Test func `is the next one's also where a message comes back while it is given`() {
        let (session, _) = Self.port(unconfirmed: 9)
        func publish(_ key: String) -> PendingConfirm? {
            session.number(Message(body: [1]), "", key, mandatory: true, place: .ifFree)
        }
        func comesBack(_ key: String, headers: FieldTable? = nil) -> Bool {
            let returned = ReturnedMessage(
                replyCode: .noRoute,
                replyText: "",
                exchangeName: "",
                routingKey: key,
                message: Message(body: [1], headers: headers)
            )
            return session.state.withLock { $0.confirms?.markReturned(returned) ?? false }
        }
        let first = publish("a")
        _ = publish("b")
        // It was changed on its way: so it is looked for among all that have a number.
        let isFirst = comesBack("a", headers: ["x": .string("y")])
        session.takeNumberBack()
        let next = publish("c")
        let isNext = comesBack("c")
        #expect(isFirst && isNext)
        session.settlePublished(2, multiple: true, error: nil)
        for confirm in [first, next] {
            guard case .failure(let error)? = confirm?.outcome else {
                Issue.record("what came back counts as confirmed")
                continue
            }
            #expect(error.code == .undeliverable)
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The ledger of unconfirmed messages")
struct ConfirmLedgerTests {
    private let session: ChannelSession

    init() {
        session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
    }

    private func ledger(publishing count: Int, limit: Int = 1000) -> (ConfirmLedger, [PendingConfirm]) {
        var ledger = ConfirmLedger(limit: limit)
        var confirmations: [PendingConfirm] = []
        for _ in 0..<count {
            let place = ledger.reserve()
            #expect(place == nil)
            confirmations.append(
                ledger.publish(Message(body: []), to: "e", on: session, hasPlace: true, kept: nil)
            )
        }
        return (ledger, confirmations)
    }

    @Test("an ack of one settles that one")
    func single() {
        var (ledger, confirmations) = ledger(publishing: 3)
        let outcomes = ledger.settle(2, multiple: false, error: nil)
        #expect(outcomes.confirmed.map { ObjectIdentifier($0) } == [ObjectIdentifier(confirmations[1])])
        #expect(ledger.unconfirmed == 2)
    }

    @Test("an ack with multiple settles all up to it, those settled before aside")
    func multiple() {
        var (ledger, confirmations) = ledger(publishing: 5)
        _ = ledger.settle(2, multiple: false, error: nil)
        let outcomes = ledger.settle(4, multiple: true, error: nil)
        #expect(
            outcomes.confirmed.map { ObjectIdentifier($0) }
                == [0, 2, 3].map { ObjectIdentifier(confirmations[$0]) }
        )
        #expect(ledger.unconfirmed == 1)
    }

    @Test("numbers never given, or settled, or absurd, settle nothing", arguments: [0, 1, 4, 5, UInt64.max])
    func unknown(number: UInt64) {
        var (ledger, _) = ledger(publishing: 3)
        _ = ledger.settle(1, multiple: false, error: nil)
        let outcomes = ledger.settle(number, multiple: false, error: nil)
        #expect(outcomes.confirmed.isEmpty && outcomes.failed.isEmpty)
        #expect(ledger.unconfirmed == 2)
    }

    @Test func `it tells whether all up to a number are settled, whatever came behind`() {
        var (ledger, _) = ledger(publishing: 3)
        #expect(ledger.last == 3 && ConfirmLedger(limit: 1).last == 0)
        _ = ledger.settle(2, multiple: false, error: nil)
        #expect(ledger.isSettled(upTo: 0) && !ledger.isSettled(upTo: 1) && !ledger.isSettled(upTo: 2))
        _ = ledger.settle(1, multiple: false, error: nil)
        #expect(ledger.isSettled(upTo: 2) && !ledger.isSettled(upTo: 3))
        _ = ledger.settle(3, multiple: false, error: nil)
        #expect(ledger.isSettled(upTo: 3) && ledger.last == 3)
    }

    @Test("number 0 with multiple settles all")
    func zero() {
        var (ledger, _) = ledger(publishing: 3)
        let outcomes = ledger.settle(0, multiple: true, error: nil)
        #expect(outcomes.confirmed.count == 3)
        #expect(ledger.unconfirmed == 0)
    }

    @Test("a number far ahead with multiple settles what there is")
    func ahead() {
        var (ledger, _) = ledger(publishing: 3)
        let outcomes = ledger.settle(.max, multiple: true, error: nil)
        #expect(outcomes.confirmed.count == 3)
    }

    @Test("at the limit a publisher waits, and gets the place that a confirm frees")
    func limit() throws {
        var (ledger, _) = ledger(publishing: 2, limit: 2)
        let reserved = ledger.reserve()
        let waiter = try #require(reserved)
        let tooEarly = ledger.admit()
        #expect(tooEarly.isEmpty)
        _ = ledger.settle(1, multiple: false, error: nil)
        let admitted = ledger.admit()
        #expect(admitted.first === waiter)
        // The place is promised to the one who waited.
        let next = ledger.reserve()
        #expect(next != nil)
    }

    @Test func `those who wait are let in once a fourth of the places is free, or nothing is unconfirmed`() throws {
        var (ledger, _) = ledger(publishing: 100, limit: 100)
        var waiters: [OneShot<Void>] = []
        for _ in 1...30 {
            let reserved = ledger.reserve()
            waiters.append(try #require(reserved))
        }
        _ = ledger.settle(24, multiple: true, error: nil)
        let tooEarly = ledger.admit()
        #expect(tooEarly.isEmpty)
        _ = ledger.settle(25, multiple: false, error: nil)
        let admitted = ledger.admit()
        #expect(admitted.count == 25 && admitted.first === waiters[0])
        // The broker may not confirm the others for long: after a moment a few places are enough.
        _ = ledger.settle(27, multiple: true, error: nil)
        let stillFew = ledger.admit()
        let (begins, again) = (ledger.beginsTimer(), ledger.beginsTimer())
        #expect(stillFew.isEmpty && begins && !again)
        let late = ledger.admitLate()
        #expect(late.count == 2)
        let over = ledger.beginsTimer()
        #expect(!over)
        // Those who give their places back let others in as soon as nothing is on its way.
        _ = ledger.settle(100, multiple: true, error: nil)
        let rest = ledger.admit()
        #expect(rest.count == 3)
    }

    /// A ledger with mandatory messages, published to `e` with the key `k`.
    private func ledger(mandatory messages: [Message]) -> (ConfirmLedger, [PendingConfirm]) {
        var ledger = ConfirmLedger(limit: 10)
        let confirmations = messages.map { message in
            _ = ledger.reserve()
            return ledger.publish(
                message,
                to: "e",
                on: session,
                hasPlace: true,
                kept: .init(exchange: "e", routingKey: "k", message: message)
            )
        }
        return (ledger, confirmations)
    }

    private func returned(_ message: Message, key: String = "k") -> ReturnedMessage {
        ReturnedMessage(
            replyCode: .noRoute,
            replyText: "NO_ROUTE",
            exchangeName: "e",
            routingKey: key,
            message: message
        )
    }

    private func message(_ text: String, headers: FieldTable? = nil) -> Message {
        Message(body: Array(text.utf8), headers: headers, timestamp: nil)
    }

    @Test("a return is matched by exchange, key and content, in the order of the publishes")
    func returns() {
        var (ledger, confirmations) = ledger(mandatory: ["a", "b", "a"].map { message($0) })
        let matches = [returned(message("a"), key: "other"), returned(message("a")), returned(message("a"))]
            .map { ledger.markReturned($0) }
        #expect(matches == [false, true, true])
        let outcomes = ledger.settle(3, multiple: true, error: nil)
        #expect(outcomes.failed.map(\.error.code) == [.undeliverable, .undeliverable])
        #expect(outcomes.confirmed.first === confirmations[1])
    }

    @Test("a return that came back changed fails the message that it was, or is most like")
    func changed() {
        let published = [
            message("a"), message("b", headers: ["n": .double(.nan)]), message("b"), message("c", headers: ["BCC": 1]),
        ]
        var (ledger, confirmations) = ledger(mandatory: published)
        // The same in everything; then by its body alone; then by exchange and key alone.
        let matches = [message("b"), message("c"), published[1], message("x"), message("x")]
            .map { ledger.markReturned(returned($0)) }
        #expect(matches == [true, true, true, true, false])
        let outcomes = ledger.settle(0, multiple: true, error: nil)
        #expect(outcomes.confirmed.isEmpty)
        let bodies = outcomes.failed.map { $0.error.returned?.message.body ?? [] }
        #expect(bodies == ["x", "b", "b", "c"].map { Array($0.utf8) })
        #expect(outcomes.failed.map { ObjectIdentifier($0.confirm) } == confirmations.map { ObjectIdentifier($0) })
    }

    @Test("the end gives everyone the error, and those that came back their return")
    func end() {
        var (ledger, _) = ledger(publishing: 2, limit: 2)
        _ = ledger.reserve()
        let (outcomes, waiters) = ledger.end(AMQPError(.outcomeUnknown, "gone"))
        #expect(outcomes.failed.map(\.error.code) == [.outcomeUnknown, .outcomeUnknown])
        #expect(waiters.count == 1)
        #expect(ledger.unconfirmed == 0)
    }

    private func closing(_ text: String) -> AMQPError {
        AMQPError(replyCode: 406, replyText: text, classID: 60, methodID: 40)
    }

    @Test(
        "the message over which the broker closed the channel is found by what is kept of it, on any number before it",
        arguments: [
            ("NOT_FOUND - no exchange 'b' in vhost '/'", 130), ("message size 7 is larger", 131),
            ("invalid expiration '-5'", 132), ("user_id property set to 'x' but", 133),
        ]
    )
    func blame(text: String, number: Int) {
        var ledger = ConfirmLedger(limit: 1_000)
        var confirms: [PendingConfirm] = []
        for index in 0..<300 {
            let message =
                switch index {
                case 131: Message(body: Array(repeating: 0, count: 7))
                case 132: Message(body: [], expiration: "-5")
                case 133: Message(body: [], userID: "x")
                default: Message(body: [])
                }
            let exchange = index == 130 ? "b" : "a"
            confirms.append(ledger.publish(message, to: exchange, on: session, hasPlace: false, kept: nil))
        }
        _ = ledger.settle(100, multiple: true, error: nil)
        let cause = closing(text)
        let (outcomes, _) = ledger.end(AMQPError(.outcomeUnknown, "gone"), cause: cause)
        let meant = outcomes.failed.filter { $0.error.code != .outcomeUnknown }
        #expect(meant.map { ObjectIdentifier($0.confirm) } == [ObjectIdentifier(confirms[number])])
    }

    @Test("nothing holds the channel once all is confirmed")
    func release() {
        weak var session: ChannelSession?
        var ledger = ConfirmLedger(limit: 10)
        do {
            let channel = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
            session = channel
            _ = ledger.publish(Message(body: []), to: "e", on: channel, hasPlace: false, kept: nil)
        }
        #expect(session != nil)
        _ = ledger.settle(1, multiple: false, error: nil)
        #expect(session == nil)
    }

    @Test("random acks and nacks, single and multiple, settle each message exactly once")
    func random() {
        for seed in 0..<20 {
            var generator = SystemRandomNumberGenerator()
            var (ledger, confirmations) = ledger(publishing: 200)
            var settled: Set<ObjectIdentifier> = []
            for _ in 0..<(200 + seed) {
                let outcomes = ledger.settle(
                    UInt64.random(in: 0...210, using: &generator),
                    multiple: Int.random(in: 0..<10) == 0,
                    error: nil
                )
                for confirm in outcomes.confirmed {
                    #expect(settled.insert(ObjectIdentifier(confirm)).inserted)
                }
            }
            for confirm in ledger.settle(0, multiple: true, error: nil).confirmed {
                #expect(settled.insert(ObjectIdentifier(confirm)).inserted)
            }
            #expect(settled.count == confirmations.count)
        }
    }

    @Test("publishers that stop waiting for a place do not stay listed, and cost nobody a place")
    func abandoned() throws {
        var (ledger, _) = ledger(publishing: 1, limit: 1)
        let reserved = ledger.reserve()
        let patient = try #require(reserved)
        for _ in 0..<1_000 {
            let reserved = ledger.reserve()
            try #require(reserved).fail(CancellationError())
            ledger.abandon()
        }
        _ = ledger.settle(1, multiple: false, error: nil)
        let admitted = ledger.admit()
        #expect(admitted.first === patient)
        ledger.release()
        let next = ledger.admit()
        #expect(next.count <= 1)
    }
}

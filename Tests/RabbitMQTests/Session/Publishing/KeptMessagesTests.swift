import TestSupport
import Testing

@testable import RabbitMQ

@Suite("messages that are published again")
struct KeptMessagesTests {
    private let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)

    private func publish(
        _ text: String,
        _ ledger: inout ConfirmLedger,
        isMandatory: Bool = false,
        isKept: Bool = true
    ) -> PendingConfirm {
        let message = Message(body: Array(text.utf8))
        return ledger.publish(
            message,
            to: "e",
            on: session,
            hasPlace: false,
            kept: isKept ? .init(exchange: "e", routingKey: "k", message: message, isMandatory: isMandatory) : nil
        )
    }

    private func texts(_ messages: [UnconfirmedMessage]) -> [String] {
        messages.map { String(decoding: $0.kept.message.body, as: UTF8.self) }
    }

    private let lost = AMQPError(.outcomeUnknown, "lost")

    @Test func `what is not confirmed is taken in order, and nothing else`() {
        var ledger = ConfirmLedger(limit: 10)
        let confirms = ["1", "2", "3", "4"].map { publish($0, &ledger) }
        ledger.settle(2, multiple: false, error: nil).makeKnown()
        ledger.settle(3, multiple: false, error: AMQPError(.nacked, "no")).makeKnown()
        let taken = ledger.takeKept()
        #expect(texts(taken) == ["1", "4"])
        #expect(taken.map { $0.confirm === confirms[0] || $0.confirm === confirms[3] } == [true, true])
        #expect(ledger.unconfirmed == 0 && ledger.pending.isEmpty)
        let (outcomes, _) = ledger.end(lost)
        #expect(outcomes.confirmed.isEmpty && outcomes.failed.isEmpty)
        #expect(confirms[0].outcome == nil && confirms[3].outcome == nil)
    }

    @Test func `what came back has reached nobody, and is not sent again`() {
        var ledger = ConfirmLedger(limit: 10)
        let first = publish("1", &ledger, isMandatory: true)
        _ = publish("2", &ledger)
        let isOurs = ledger.markReturned(
            ReturnedMessage(
                replyCode: .noRoute,
                replyText: "NO_ROUTE",
                exchangeName: "e",
                routingKey: "k",
                message: Message(body: Array("1".utf8))
            )
        )
        #expect(isOurs)
        #expect(texts(ledger.takeKept()) == ["2"])
        let (outcomes, _) = ledger.end(lost)
        #expect(outcomes.failed.count == 1 && outcomes.failed.first?.confirm === first)
        #expect(outcomes.failed.first?.error.code != .outcomeUnknown)
    }

    @Test func `what was not kept has an unknown outcome`() {
        var ledger = ConfirmLedger(limit: 10)
        _ = publish("1", &ledger, isKept: false)
        _ = publish("2", &ledger)
        #expect(texts(ledger.takeKept()) == ["2"])
        #expect(ledger.unconfirmed == 1)
        let (outcomes, _) = ledger.end(lost)
        #expect(outcomes.failed.map(\.error.code) == [.outcomeUnknown])
    }

    @Test func `they take the first numbers of the next session, and their places`() {
        var old = ConfirmLedger(limit: 3)
        let confirms = ["1", "2"].map { publish($0, &old) }
        let taken = old.takeKept()
        var ledger = ConfirmLedger(limit: 3)
        for message in taken { ledger.adopt(message) }
        #expect(ledger.unconfirmed == 2 && ledger.hasRoom)
        let third = publish("3", &ledger)
        #expect(!ledger.hasRoom)
        #expect(ledger.pending.map { ObjectIdentifier($0) } == (confirms + [third]).map { ObjectIdentifier($0) })
        ledger.settle(1, multiple: false, error: AMQPError(.nacked, "no")).makeKnown()
        ledger.settle(3, multiple: true, error: nil).makeKnown()
        #expect(throws: AMQPError.self) { try confirms[0].outcome?.get() }
        #expect(throws: Never.self) { try confirms[1].outcome?.get() }
        #expect(third.outcome != nil && ledger.unconfirmed == 0)
    }

    @Test func `lost once more, they are taken once more, before what came behind them`() {
        var ledgers = [ConfirmLedger(limit: 10), ConfirmLedger(limit: 10)]
        _ = ["1", "2", "3"].map { publish($0, &ledgers[0]) }
        for message in ledgers[0].takeKept() { ledgers[1].adopt(message) }
        _ = publish("4", &ledgers[1])
        ledgers[1].settle(1, multiple: false, error: nil).makeKnown()
        #expect(texts(ledgers[1].takeKept()) == ["2", "3", "4"])
    }

    @Test func `one that comes back from the next session is recognized there`() {
        var old = ConfirmLedger(limit: 3)
        let confirm = publish("1", &old, isMandatory: true)
        var ledger = ConfirmLedger(limit: 3)
        for message in old.takeKept() { ledger.adopt(message) }
        let isOurs = ledger.markReturned(
            ReturnedMessage(
                replyCode: .noRoute,
                replyText: "NO_ROUTE",
                exchangeName: "e",
                routingKey: "k",
                message: Message(body: Array("1".utf8))
            )
        )
        #expect(isOurs)
        ledger.settle(1, multiple: false, error: nil).makeKnown()
        guard case .failure = confirm.outcome else {
            Issue.record("it is taken as confirmed")
            return
        }
    }
}

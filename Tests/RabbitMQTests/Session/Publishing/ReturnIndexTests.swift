import TestSupport
import Testing

@testable import RabbitMQ

@Suite("finding the message that came back")
struct ReturnIndexTests {
    private func ledger(_ messages: [Message], key: (Int) -> String = { _ in "k" }) -> ConfirmLedger {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        var ledger = ConfirmLedger(limit: .max)
        for (index, message) in messages.enumerated() {
            _ = ledger.publish(
                message,
                to: "e",
                on: session,
                hasPlace: false,
                kept: .init(exchange: "e", routingKey: key(index), message: message)
            )
        }
        return ledger
    }

    private func returned(_ message: Message, key: String = "k") -> ReturnedMessage {
        ReturnedMessage(replyCode: .noRoute, replyText: "", exchangeName: "e", routingKey: key, message: message)
    }

    private func message(_ number: Int, id: String? = nil) -> Message {
        Message(body: Array(String(number).utf8), messageID: id, timestamp: nil)
    }

    /// Compared with each of the others, these would take minutes.
    @Test(arguments: ["in order", "backwards", "changed", "foreign"])
    func `takes no longer for each of many`(order: String) {
        let count = 20_000
        let messages = (0..<count).map { message($0, id: "id") }
        var ledger = ledger(messages)
        var found = 0
        for index in 0..<count {
            let sent =
                switch order {
                case "in order": messages[index]
                case "backwards": messages[count - 1 - index]
                case "changed": message(index)
                default: message(-1 - index)
                }
            if ledger.markReturned(returned(sent)) { found += 1 }
        }
        #expect(found == count)
        let outcomes = ledger.settle(0, multiple: true, error: nil)
        #expect(outcomes.failed.count == count)
        if order != "foreign" {
            #expect(outcomes.failed.allSatisfy { $0.error.returned.map { !$0.message.body.isEmpty } ?? false })
        }
    }

    @Test func `goes on while messages are published, returned and confirmed`() {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        var ledger = ConfirmLedger(limit: .max)
        var (failed, confirmed) = (0, 0)
        for number in 0..<20_000 {
            _ = ledger.publish(
                message(number),
                to: "e",
                on: session,
                hasPlace: false,
                kept: .init(exchange: "e", routingKey: "k", message: message(number))
            )
            if number % 3 == 0 {
                let isFound = ledger.markReturned(returned(message(number)))
                #expect(isFound)
            }
            if number % 100 == 99 {
                let outcomes = ledger.settle(UInt64(number - 50), multiple: true, error: nil)
                failed += outcomes.failed.count
                confirmed += outcomes.confirmed.count
            }
        }
        let outcomes = ledger.settle(0, multiple: true, error: nil)
        #expect(failed + outcomes.failed.count == 6667)
        #expect(confirmed + outcomes.confirmed.count == 13_333)
    }

    /// What is meant, said in the simplest way.
    @Test func `finds what a search through all of them finds`() {
        var random = SplitMix(seed: 11)
        for _ in 0..<200 {
            let keys = ["k", "l"]
            let chosen = (0..<30).map { _ in keys[Int.random(in: 0..<2, using: &random)] }
            let messages = (0..<30).map { _ in
                message(Int.random(in: 0..<4, using: &random), id: Bool.random(using: &random) ? "x" : nil)
            }
            var ledger = ledger(messages) { chosen[$0] }
            var isReturned = [Bool](repeating: false, count: 30)
            var expected: [Int] = []
            for _ in 0..<25 {
                let sought = message(Int.random(in: 0..<5, using: &random), id: Bool.random(using: &random) ? "x" : nil)
                let key = keys[Int.random(in: 0..<2, using: &random)]
                let open = messages.indices.filter { !isReturned[$0] && chosen[$0] == key }
                let match =
                    open.first { messages[$0] == sought } ?? open.first { messages[$0].body == sought.body }
                    ?? open.first
                let isFound = ledger.markReturned(returned(sought, key: key))
                #expect(isFound == (match != nil))
                if let match {
                    isReturned[match] = true
                    expected.append(match)
                }
            }
            let outcomes = ledger.settle(0, multiple: true, error: nil)
            #expect(outcomes.failed.count == expected.count)
            #expect(outcomes.confirmed.count == 30 - expected.count)
        }
    }
}

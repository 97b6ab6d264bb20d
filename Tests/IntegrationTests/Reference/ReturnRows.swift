import Logging
import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: returned messages", .timeLimit(.minutes(1)))
struct ReturnRows {
    @Test("row 12: the handler gets the message with code, text, exchange and key, in order")
    func handler() async throws {
        try await TestBroker.withChannel { _, channel in
            let returned = Collected<ReturnedMessage>()
            channel.setReturnHandler { returned.add($0) }
            let exchange = try await channel.declareExchange("amq.direct", passive: true)
            let nowhere = TestBroker.uniqueName("nowhere")
            let sent = (0..<50).map { Message(body: Array(repeating: 1, count: $0), headers: ["n": .int32(Int32($0))]) }
            for message in sent { try await exchange.publish(message, routingKey: nowhere) }
            try await eventually("all came back") { returned.count >= 50 }
            #expect(returned.all.map(\.message) == sent)
            for one in returned.all {
                #expect(one.replyCode == .noRoute)
                #expect(one.replyText == "NO_ROUTE")
                #expect(one.exchangeName == "amq.direct")
                #expect(one.routingKey == nowhere)
            }
        }
    }

    @Test("row 12: without a handler an error is logged, once per returned message; nil restores that")
    func logged() async throws {
        let log = CapturedLog()
        try await Connection.withConnection(TestBroker.configuration(log: log)) { connection in
            let channel = try await connection.openChannel()
            let exchange = try await channel.declareExchange("")
            let nowhere = TestBroker.uniqueName("nowhere")
            func undeliverable() -> [CapturedLog.Entry] { log.entries(containing: "undeliverable message") }
            for _ in 0..<3 { try await exchange.publish(Message(body: [1]), routingKey: nowhere) }
            try await eventually("three are logged") { undeliverable().count >= 3 }

            let returned = Collected<ReturnedMessage>()
            channel.setReturnHandler { returned.add($0) }
            try await exchange.publish(Message(body: [2]), routingKey: nowhere)
            try await eventually("the handler has the fourth") { returned.count == 1 }

            channel.setReturnHandler(nil)
            try await exchange.publish(Message(body: [3]), routingKey: nowhere)
            try await eventually("the fifth is logged") { undeliverable().count >= 4 }
            #expect(undeliverable().count == 4)
            #expect(returned.all.map(\.message.body) == [[2]])
            #expect(undeliverable().allSatisfy { $0.level == .error && $0.description.contains("NO_ROUTE") })
        }
    }

    @Test("row 12: returns of one channel reach its own handler, with a large body between other traffic")
    func perChannel() async throws {
        try await TestBroker.withQueue { connection, first, queue, exchange in
            let second = try await connection.openChannel()
            let (ones, twos) = (Collected<Int>(), Collected<Int>())
            first.setReturnHandler { ones.add($0.message.body.count) }
            second.setReturnHandler { twos.add($0.message.body.count) }
            let other = try await second.declareExchange("")
            let nowhere = TestBroker.uniqueName("nowhere")
            for size in [0, 1, 131_064, 1_000_000] {
                try await exchange.publish(Message(body: Array(repeating: 7, count: size)), routingKey: nowhere)
                try await other.publish(Message(body: Array(repeating: 7, count: size + 1)), routingKey: nowhere)
                try await exchange.publish(Message(body: []), routingKey: queue.name)
            }
            try await eventually("all came back") { ones.count == 4 && twos.count == 4 }
            #expect(ones.all == [0, 1, 131_064, 1_000_000])
            #expect(twos.all == [1, 2, 131_065, 1_000_001])
        }
    }
}

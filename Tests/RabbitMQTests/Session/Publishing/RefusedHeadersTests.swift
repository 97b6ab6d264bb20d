import TestSupport
import Testing

@testable import RabbitMQ

@Suite("headers that can't be sent", .timeLimit(.minutes(1)))
struct RefusedHeadersTests {
    private static let long = String(repeating: "k", count: 256)
    private static let all: [FieldTable] = [
        ["n": .double(.nan)], ["t": .table(["n": .float(.infinity)])], [long: 1], ["x-stream-filter-value": 7],
    ]

    /// Expects each to be refused, with what the check says.
    private func expectRefusal(by exchange: Exchange) async throws {
        for headers in Self.all {
            let message = Message(body: [1], headers: headers)
            let expected = #expect(throws: AMQPError.self) { try message.validate() }
            let error = await #expect(throws: AMQPError.self) { try await exchange.publish(message, routingKey: "k") }
            #expect(error?.code == .invalidMessage)
            #expect(error?.message == expected?.message)
        }
    }

    @Test(arguments: [true, false])
    func `are refused as they are written, and nothing of the message is sent`(confirms: Bool) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            if confirms {
                async let selected: Void = channel.selectConfirms()
                try await peer.expect(PeerMethod(85, 10))
                try await peer.send(.confirmSelectOk)
                try await selected
            }
            let exchange = try await channel.declareExchange("")
            try await expectRefusal(by: exchange)
            let receipt = try await exchange.publish(Message(body: [2], headers: ["n": 1]), routingKey: "k")
            #expect(try await peer.expectPublish().body == [2])
            guard confirms else { return }
            // It has the first number.
            try await peer.sendAck(1)
            try await receipt.confirmed()
        }
    }

    @Test func `are refused at once while the broker takes no messages`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
            try await eventually("it is blocked") { connection.link.outbox.blockedReason != nil }
            try await within(.seconds(5), "the refusal") { try await expectRefusal(by: exchange) }
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

@Suite("a session whose bytes come split", .timeLimit(.minutes(1)))
struct SplitSessionTests {
    @Test func `each byte alone, from the handshake to a delivery and the end`() async throws {
        let peer = try ScriptedPeer()
        peer.sendSingleBytes()
        let connection = try await peer.connect()
        let channel = try await peer.openChannel(on: connection)
        let queue = try await peer.declareQueue("orders", on: channel)
        #expect(queue.name == "orders")
        let deliveries = try await peer.consume(queue)
        let body = Array("twenty-one characters".utf8)
        for tag in 1...3 as ClosedRange<UInt64> {
            try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag))
        }
        var iterator = deliveries.makeAsyncIterator()
        for tag in 1...3 as ClosedRange<UInt64> {
            let message = try #require(try await iterator.next())
            #expect(message.deliveryTag == tag)
            #expect(message.body == body)
            #expect(message.routingKey == "key")
        }
        async let closing: Void = connection.close()
        try await peer.expectClose()
        await closing
        #expect(connection.closeReason?.kind == .closedByApplication)
    }
}

import RabbitMQ
import TestSupport
import Testing

@Suite("Times of calls", .timeLimit(.minutes(1)))
struct BrokerCallTimeoutTests {
    @Test func `withCallTimeout holds for every call of its closure, and leaves time enough`() async throws {
        try await TestBroker.withConnection { connection in
            let left = try await withCallTimeout(.seconds(10)) {
                try await connection.withChannel { channel in
                    let queue = try await channel.declareQueue(exclusive: true)
                    let exchange = try await channel.declareExchange(
                        TestBroker.uniqueName("timeout"),
                        type: .fanout,
                        autoDelete: true
                    )
                    try await queue.bind(to: exchange, routingKey: "")
                    try await channel.selectConfirms()
                    for number in UInt8(0)..<3 {
                        try await exchange.publishConfirmed(Message(body: [number]), routingKey: "")
                    }
                    let first = try #require(try await queue.get())
                    try first.ack()
                    let left = try await queue.purge()
                    try await queue.consume().consumer.cancel()
                    return left
                }
            }
            #expect(left == 2)
        }
    }
}

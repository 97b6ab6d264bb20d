import RabbitMQ
import TestSupport
import Testing

@Suite("Round trips through the broker")
struct RoundTripTests {
    @Test("100,000 messages of 100 bytes come once each and in order")
    func manySmall() async throws {
        let count = 100_000
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            async let sent: Void = {
                for number in 0..<count {
                    var body = [UInt8](repeating: 0x2E, count: 100)
                    withUnsafeBytes(of: UInt32(number).bigEndian) { body.replaceSubrange(0..<4, with: $0) }
                    try await exchange.publish(Message(body: body), routingKey: queue.name)
                }
            }()
            let consuming = try await connection.openChannel()
            try await consuming.setQos(prefetchCount: 1000)
            let source = try await consuming.declareQueue(queue.name, exclusive: true, passive: true)
            var expected: UInt32 = 0
            for try await message in try await source.consume() {
                let number = message.body.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                #expect(number == expected)
                #expect(message.body.count == 100)
                expected += 1
                try message.ack()
                if expected == count { break }
            }
            try await sent
            let extra = try await queue.get()
            #expect(extra == nil)
        }
    }

    @Test(
        "bodies around the frame size come unharmed at the smallest frame_max",
        arguments: [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1), (2, 0), (0, 100_000)]
    )
    func smallFrames(frames: Int, more: Int) async throws {
        let frameMax: UInt32 = try await BrokerVersion.current < .v4_1 ? 4096 : 8192
        try await roundTrip(size: frames * (Int(frameMax) - 8) + more, frameMax: frameMax)
    }

    @Test("bodies around the frame size come unharmed at the default", arguments: [131_063, 131_064, 131_065, 1 << 20])
    func largeFrames(size: Int) async throws {
        try await roundTrip(size: size, frameMax: 131_072)
    }

    @Test("a body of 64 MiB comes unharmed, or of 16 MiB where RabbitMQ takes no more")
    func huge() async throws {
        try await roundTrip(size: TestBroker.hugeBody, frameMax: 131_072)
    }

    @Test("a body that is larger than the broker takes costs the channel, and nothing else", .needsBroker(.v4_0))
    func tooLarge() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let exchange = try await channel.declareExchange("")
            let queue = try await channel.declareQueue(exclusive: true)
            let body = [UInt8](repeating: 0, count: try await TestBroker.hugeBody + 1)
            try await channel.selectConfirms()
            let error = await expectError(.preconditionFailed) {
                try await exchange.publishConfirmed(Message(body: body), routingKey: queue.name)
            }
            #expect(error?.replyText?.contains("larger than configured max size") == true)
            #expect(try await connection.answers())
        }
    }

    private func roundTrip(size: Int, frameMax: UInt32) async throws {
        var configuration = try TestBroker.configuration
        configuration.frameMax = frameMax
        try await Connection.withConnection(configuration) { connection in
            #expect(connection.frameMax == Int(frameMax))
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let body = TestBytes.pattern(size)
            try await exchange.publish(Message(body: body), routingKey: queue.name)
            for try await message in try await queue.consume(.noAck) {
                let isSame = TestBytes.areEqual(message.body, body)
                #expect(isSame)
                break
            }
        }
    }
}

import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("publishing to a peer that is slow to read", .timeLimit(.minutes(1)))
struct OutboundPressureTests {
    private static func body(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    @Test func `publishers wait at the high-water mark, memory stays below it, and all comes in order`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { configuration in
            configuration.outboundHighWater = 100_000
        } _: { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            let publishing = Task {
                for number in 0..<200 {
                    try await exchange.publish(Message(body: Self.body(10_000 + number)), routingKey: "\(number)")
                }
            }
            let outbox = connection.link.outbox
            try await eventually("a publisher is held back") { outbox.state.withLock { !$0.heldBack.isEmpty } }
            #expect(outbox.state.withLock { $0.pending } < 120_000)
            peer.resumeReading()
            for number in 0..<200 {
                let published = try await peer.expectPublish()
                #expect(published.routingKey == "\(number)")
                #expect(published.body.count == 10_000 + number)
                #expect(outbox.state.withLock { $0.pending } < 120_000)
            }
            try await publishing.value
        }
    }

    @Test func `a publisher waits no longer than the deadline, and sends nothing then`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { configuration in
            configuration.outboundHighWater = 50_000
            configuration.publishTimeout = .milliseconds(300)
        } _: { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            let count = Mutex(0)
            let error = try await thrownError {
                while true {
                    try await exchange.publish(Message(body: Self.body(10_000)), routingKey: "q")
                    count.withLock { $0 += 1 }
                }
            }
            #expect(error.code == .blockedTooLong)
            peer.resumeReading()
            for _ in 0..<count.withLock({ $0 }) { _ = try await peer.expectPublish() }
            let qos = Task { try await channel.setQos() }
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await qos.value
        }
    }

    @Test func `a publisher that is cancelled while it waits sends nothing`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { connection.blockedReason == "low on memory" }
            let publishing = Task { try await exchange.publish(Message("never"), routingKey: "q") }
            let outbox = connection.link.outbox
            try await eventually("held back") { outbox.state.withLock { !$0.heldBack.isEmpty } }
            publishing.cancel()
            let result = try await within(.seconds(10), "the end") { await publishing.result }
            #expect(throws: CancellationError.self) { try result.get() }
            try await peer.send(.connectionUnblocked, channel: 0)
            try await eventually("unblocked") { connection.blockedReason == nil }
            try await exchange.publish(Message("now"), routingKey: "q")
            #expect(try await peer.expectPublish().body == Array("now".utf8))
        }
    }

    @Test func `the end of a channel reaches its publishers that wait, and lets others through`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { configuration in
            configuration.outboundHighWater = 50_000
        } _: { peer, connection, channel in
            let other = try await peer.openChannel(on: connection, 2)
            let exchange = try await channel.declareExchange("")
            let otherExchange = try await other.declareExchange("")
            peer.pauseReading()
            try await exchange.publish(Message(body: Self.body(200_000)), routingKey: "q")
            let waiting = Task { try await exchange.publish(Message(body: Self.body(100_000)), routingKey: "q") }
            let outbox = connection.link.outbox
            try await eventually("one is held back") { outbox.state.withLock { $0.heldBack.count } == 1 }
            let next = Task { try await otherExchange.publish(Message("next"), routingKey: "q") }
            try await eventually("both are held back") { outbox.state.withLock { $0.heldBack.count } == 2 }
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "no exchange")
            try await eventually("the channel is closed") { channel.closeReason != nil }
            peer.resumeReading()
            _ = try await peer.expectPublish()
            try await peer.expect(.channelCloseOk, channel: 1)
            let error = try await thrownError { try await waiting.value }
            #expect(error.code == .notFound)
            _ = try await peer.expectPublish(channel: 2)
            _ = try await next.value
        }
    }

    @Test func `danger: reading goes on while nothing can be written`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            try await exchange.publish(Message(body: Self.body(500_000)), routingKey: "q")
            try await eventually("the socket is full") { await connection.link.writing.isAwaitingRoom }
            let tag = deliveries.consumer.tag
            try await peer.send((1...50).flatMap { PeerFrame.delivery(Self.body(5000), tag: $0, consumer: tag) })
            var count = 0
            for try await _ in deliveries {
                count += 1
                if count == 50 { break }
            }
            #expect(await connection.link.writing.isAwaitingRoom)
            peer.resumeReading()
            #expect(try await peer.expectPublish().body == Self.body(500_000))
        }
    }

    @Test(arguments: [0, 1, 4087, 4088, 4089, 8176, 131_064, 1 << 20])
    func `large bodies in partial writes come whole, without a stall`(size: Int) async throws {
        for frameMax in [4096, 131_072] as [UInt32] {
            let tune = ScriptedPeer.Tune(frameMax: frameMax)
            try await ScriptedPeer.withChannel(tune: tune, sendBuffer: 4096) { peer, _, channel in
                let exchange = try await channel.declareExchange("")
                let body = Self.body(size)
                try await exchange.publish(Message(body: body), routingKey: "q")
                let published = try await peer.expectPublish()
                #expect(published.body == body)
                #expect(published.frameSizes.allSatisfy { $0 <= Int(frameMax) && $0 > 8 })
                #expect(published.frameSizes.dropLast().allSatisfy { $0 == Int(frameMax) })
            }
        }
    }

    @Test func `danger: properties that don't fit a frame send nothing, and the channel lives`() async throws {
        try await ScriptedPeer.withChannel(tune: ScriptedPeer.Tune(frameMax: 4096)) { peer, _, channel in
            let exchange = try await channel.declareExchange("")
            let large = Message(body: [1], headers: ["k": .string(String(repeating: "x", count: 5000))])
            let error = try await thrownError { try await exchange.publish(large, routingKey: "q") }
            #expect(error.code == .invalidMessage)
            try await exchange.publish(Message(body: [2]), routingKey: "q")
            #expect(try await peer.expectPublish().body == [2])
            let refused = try await thrownError {
                try await channel.declareQueue("q", arguments: ["k": .string(String(repeating: "x", count: 5000))])
            }
            #expect(refused.code == .invalidArgument)
            _ = try await peer.declareQueue(on: channel)
        }
    }

    @Test func `danger: long keys, nested ones too, and deep tables send nothing`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let exchange = try await channel.declareExchange("")
            let long = String(repeating: "k", count: 259)
            let deep = (0..<32).reduce(["leaf": 1] as FieldTable) { table, _ in ["t": .table(table)] }
            for table in [[long: 1], ["a": .table([long: 1])], ["a": .array([.array([.table([long: 1])])])], deep]
                as [FieldTable]
            {
                let error = try await thrownError {
                    try await exchange.publish(Message(body: [1], headers: table), routingKey: "q")
                }
                #expect(error.code == .invalidMessage)
                let declared = try await thrownError {
                    try await channel.declareQueue("q", arguments: QueueArguments(table))
                }
                #expect(declared.code == .invalidArgument)
            }
            try await exchange.publish(Message(body: [2]), routingKey: "q")
            #expect(try await peer.expectPublish().body == [2])
        }
    }
}

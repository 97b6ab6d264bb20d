import TestSupport
import Testing

@testable import RabbitMQ

/// What ``withCallTimeout(_:isolation:_:)`` gives calls in place of the configuration's times, which are ten seconds here.
@Suite("withCallTimeout", .timeLimit(.minutes(1)))
struct CallTimeoutTests {
    private static let short = Duration.milliseconds(100)

    /// Selects confirms, with the peer playing its part.
    private func selectConfirms(_ peer: ScriptedPeer, _ channel: Channel) async throws {
        async let selecting: Void = channel.selectConfirms()
        try await peer.expect(PeerMethod(85, 10))
        try await peer.send(.confirmSelectOk)
        try await selecting
    }

    /// What a call throws that has to wait, if it does so sooner than by the configuration's time.
    private func failure(_ body: @escaping @Sendable () async throws -> Void) async throws -> AMQPError {
        let start = ContinuousClock.now
        let error = try await thrownError { try await withCallTimeout(Self.short) { try await body() } }
        #expect(ContinuousClock.now - start < .seconds(8))
        return error
    }

    @Test(arguments: Call.all)
    func `limits a call that is not answered, and the channel stays in step`(call: Call) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let exchange = try channel.exchange("e")
            let error = try await failure { try await call.run(channel, queue, exchange) }
            #expect(error.code == .timedOut)
            #expect(error.message.contains("\(Self.short)"))
            try await peer.expect(call.method)
            #expect(channel.closeReason == nil)
        }
        #expect(CallTimeout.current == nil)
    }

    @Test func `an answer that comes too late is not the next call's`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            #expect(try await failure { _ = try await queue.purge() }.code == .timedOut)
            try await peer.expect(.queuePurge)
            async let next = queue.purge()
            try await peer.expect(.queuePurge)
            try await peer.send(.queuePurgeOk) { $0.long(1) }
            try await peer.send(.queuePurgeOk) { $0.long(2) }
            #expect(try await next == 2)
        }
    }

    @Test func `limits opening a channel, cancelling a consumer and a commit`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            #expect(try await failure { _ = try await connection.openChannel() }.code == .timedOut)
            #expect(try await failure { try await deliveries.consumer.cancel() }.code == .timedOut)
            #expect(try await failure { try await channel.selectTransactions() }.code == .timedOut)
            #expect(try await failure { try await channel.rollback() }.code == .timedOut)
        }
    }

    @Test func `limits the wait for confirms, where a time given to the call counts first`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            try await selectConfirms(peer, channel)
            let exchange = try await channel.declareExchange("")
            let receipt = try await exchange.publish(Message("x"), routingKey: "q")
            #expect(try await failure { try await receipt.confirmed() }.code == .timedOut)
            #expect(try await failure { try await channel.waitForConfirms() }.code == .timedOut)
            let publishing = Task {
                try await withCallTimeout(.zero) { try await receipt.confirmed(timeout: .seconds(10)) }
            }
            _ = try await peer.expectPublish()
            try await peer.sendAck(1)
            try await publishing.value
        }
    }

    @Test func `limits a publish that has to wait, and a flush, and no publish that has not`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            try await withCallTimeout(.zero) {
                _ = try await exchange.publish(Message("at once"), routingKey: "q")
            }
            #expect(try await peer.expectPublish().body == Array("at once".utf8))
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { connection.blockedReason != nil }
            let error = try await failure { _ = try await exchange.publish(Message("never"), routingKey: "q") }
            #expect(error.code == .blockedTooLong)
            try await peer.send(.connectionUnblocked, channel: 0)
            try await eventually("unblocked") { connection.blockedReason == nil }
            peer.pauseReading()
            try await exchange.publish(Message(body: [UInt8](repeating: 1, count: 1 << 20)), routingKey: "q")
            #expect(try await failure { try await connection.flush() }.code == .timedOut)
            peer.resumeReading()
        }
    }

    @Test func `limits a call through an RPC client`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            async let opening = connection.openRPCClient(routingKey: "q")
            try await peer.openChannel()
            _ = try await peer.startConsumer()
            let client = try await opening
            #expect(try await failure { _ = try await client.call(Message("x")) }.code == .timedOut)
            #expect(client.closeReason == nil)
        }
    }

    @Test func `limits the wait for a connection that is lost`() async throws {
        try await ScriptedClient.run([], { $0.recovery.firstDelay = .seconds(100) }) { client in
            try client.broker.session.cut()
            try await eventually("it is noticed") {
                client.connection.state == .recovering && client.channel.core.isWaiting
            }
            #expect(try await failure { _ = try await client.channel.declareQueue("q") }.code == .timedOut)
            #expect(try await failure { _ = try await client.connection.openChannel() }.code == .timedOut)
            let publish = try await failure {
                _ = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "q")
            }
            #expect(publish.code == .blockedTooLong)
        }
    }

    @Test func `the innermost counts, be it shorter or longer`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let error = try await withCallTimeout(.seconds(100)) {
                try await failure { _ = try await queue.purge() }
            }
            #expect(error.code == .timedOut)
            try await peer.expect(.queuePurge)
            let answer = Task {
                try await withCallTimeout(.zero) {
                    try await withCallTimeout(.seconds(10)) { try await queue.purge() }
                }
            }
            try await peer.expect(.queuePurge)
            try await peer.send(.queuePurgeOk) { $0.long(1) }
            try await peer.send(.queuePurgeOk) { $0.long(2) }
            #expect(try await answer.value == 2)
        }
    }

    @Test(arguments: ExtremeTimeoutsTests.none)
    func `without any time, what would have to wait gives up at once`(timeout: Duration) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let error = try await thrownError { try await withCallTimeout(timeout) { try await queue.purge() } }
            #expect(error.code == .timedOut)
            // It was sent all the same.
            try await peer.expect(.queuePurge)
            #expect(channel.closeReason == nil)
        }
    }

    @Test(arguments: ExtremeTimeoutsTests.long)
    func `it may be as long as one likes`(timeout: Duration) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await withCallTimeout(timeout) { try await peer.declareQueue(on: channel) }
            #expect(queue.name == "q")
        }
    }

    @Test func `who waits for a channel that is opened again is not told that the connection was lost`() async throws {
        try await ScriptedClient.run { client in
            // Not answered.
            try client.broker.session.refuse(.init(.channelOpen, code: 0))
            let session = client.channel.core.session
            let (code, text) = ChannelReopeningTests.passing[0]
            try await client.closeChannel(code, text)
            try await eventually("it is noticed") { !session.isOpen }
            let error = try await thrownError {
                try await withCallTimeout(Self.short) { try await client.channel.declareQueue("q") }
            }
            #expect(error.code == .timedOut)
            #expect(error.message.contains("the channel was closed"))
        }
    }

    @Test func `a callback that was begun with it has the configuration's times`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let seen = OneShot<Duration?>()
            async let consuming = withCallTimeout(.seconds(7)) {
                try await queue.consume(.noAck) { _ in seen.succeed(CallTimeout.current) }
            }
            let tag = try await peer.startConsumer()
            _ = try await consuming
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
            #expect(try await seen.value() == nil)
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

/// What is thrown to a caller is logged at debug, what nobody is told at warning, and each cause once.
@Suite("what is logged", .timeLimit(.minutes(1)))
struct LoggingTests {
    private let log = CapturedLog()

    private var noise: [CapturedLog.Entry] {
        log.entries.filter { !["trace", "debug", "info"].contains("\($0.level)") }
    }

    private func withChannel(_ body: (ScriptedPeer, Connection, Channel) async throws -> Void) async throws {
        try await ScriptedPeer.withChannel(configure: { $0.logger = log.logger }, body)
    }

    private func close(
        _ peer: ScriptedPeer,
        _ channel: Channel,
        _ text: String = "NOT_FOUND",
        cause: PeerMethod = .queueDeclare
    ) async throws {
        try await peer.sendClose(.channelClose, channel: 1, code: 404, text: text, cause: cause)
        try await peer.expect(.channelCloseOk)
        try await eventually("the channel is closed") { channel.closeReason != nil }
    }

    /// Starts a consumer that calls back, with the peer playing its part.
    private func callBack(
        on channel: Channel,
        _ peer: ScriptedPeer,
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil
    ) async throws -> String {
        let queue = try channel.queue("q")
        async let consumer = queue.consume(onCancel: onCancel, onError: onError) { _ in }
        let tag = try await peer.startConsumer()
        _ = try await consumer
        return tag
    }

    @Test func `nothing of a passive probe that finds nothing, but what is thrown`() async throws {
        try await withChannel { peer, _, channel in
            async let probing = thrownError { _ = try await channel.declareQueue("q", passive: true) }
            try await peer.expect(.queueDeclare)
            try await close(peer, channel)
            #expect(try await probing.code == .notFound)
            #expect(log.entries(containing: "the broker closed a channel").map { "\($0.level)" } == ["debug"])
            #expect(noise.isEmpty, "\(noise)")
        }
    }

    @Test func `nothing of a connection that does not come about, but what is thrown`() async throws {
        let peer = try ScriptedPeer()
        var configuration = peer.configuration
        configuration.logger = log.logger
        async let connecting = thrownError { [configuration] in _ = try await Connection.connect(configuration) }
        try await peer.expectProtocolHeader()
        peer.hangUp()
        #expect(try await connecting.code == .connectionLost)
        try await eventually("the end is logged") { !log.entries(containing: "connection ended").isEmpty }
        #expect(noise.isEmpty, "\(noise)")
    }

    @Test func `nothing of closing with consumers that call back`() async throws {
        try await withChannel { peer, connection, channel in
            for _ in 0..<4 { _ = try await callBack(on: channel, peer) }
            async let closing: Void = connection.close()
            try await peer.expectClose()
            await closing
            try await eventually("they have ended") { log.entries(containing: "a consumer ended").count == 4 }
        }
        #expect(noise.isEmpty, "\(noise)")
    }

    @Test func `nothing of closing a channel with consumers that call back`() async throws {
        try await withChannel { peer, _, channel in
            for _ in 0..<4 { _ = try await callBack(on: channel, peer) }
            async let closing: Void = channel.close()
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
            try await eventually("they have ended") { log.entries(containing: "a consumer ended").count == 4 }
            #expect(noise.isEmpty, "\(noise)")
        }
    }

    @Test func `one warning of a channel that ends with consumers whose end nobody is told`() async throws {
        try await withChannel { peer, _, channel in
            for _ in 0..<4 { _ = try await callBack(on: channel, peer) }
            async let probing = thrownError { _ = try await channel.declareQueue("q", passive: true) }
            try await peer.expect(.queueDeclare)
            try await close(peer, channel)
            #expect(try await probing.code == .notFound)
            try await eventually("they have ended") { log.entries(containing: "a consumer ended").count == 4 }
            #expect(noise.map(\.message) == ["the broker closed a channel"], "\(noise)")
            #expect(noise.map { "\($0.level)" } == ["warning"])
        }
    }

    @Test func `no warning of a channel whose end all its consumers are told`() async throws {
        try await withChannel { peer, _, channel in
            let errors = Collected<AMQPError>()
            _ = try await callBack(on: channel, peer, onError: { errors.add($0) })
            let deliveries = try await peer.consume(try channel.queue("q"))
            try await close(peer, channel)
            try await eventually("it was told") { errors.count == 1 }
            #expect(try await thrownError { for try await _ in deliveries {} }.code == .notFound)
            #expect(noise.isEmpty, "\(noise)")
        }
    }

    @Test func `one warning of a publish without confirms that closes its channel`() async throws {
        try await withChannel { peer, _, channel in
            try await channel.exchange("missing").publish(Message(body: []), routingKey: "k")
            _ = try await peer.expectPublish()
            try await close(peer, channel, cause: .basicPublish)
            #expect(noise.map { "\($0.level)" } == ["warning"], "\(noise)")
            #expect(noise.first?.description.contains("404 not-found, basic.publish") == true)
        }
    }

    @Test func `one warning of a connection that is lost, whatever was under way`() async throws {
        try await withChannel { peer, connection, channel in
            for _ in 0..<4 { _ = try await callBack(on: channel, peer) }
            peer.hangUp()
            _ = try await connection.closed
            try await eventually("they have ended") { log.entries(containing: "a consumer ended").count == 4 }
            try await eventually("the end is logged") { !noise.isEmpty }
            #expect(noise.map(\.message) == ["connection ended"], "\(noise)")
            #expect(noise.map { "\($0.level)" } == ["warning"])
        }
    }

    @Test func `a cancelled consumer is told of where its handler is not`() async throws {
        try await withChannel { peer, _, channel in
            let cancels = Collected<Bool>()
            let told = try await callBack(on: channel, peer, onCancel: { cancels.add(true) })
            let untold = try await callBack(on: channel, peer)
            for tag in [told, untold] {
                try await peer.send(.basicCancel) {
                    $0.shortString(tag)
                    $0.octet(1)
                }
            }
            try await eventually("both are logged") { log.entries(containing: "cancelled a consumer").count == 2 }
            try await eventually("the handler is called") { cancels.count == 1 }
            #expect(noise.map { "\($0.level)" } == ["warning"], "\(noise)")
            #expect(noise.first?.description.contains(untold) == true)
        }
    }

    @Test func `messages that nobody waits for are told of once when the channel's end leaves them without an outcome`()
        async throws
    {
        try await withChannel { peer, connection, channel in
            async let selected: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selected
            for _ in 0..<20 {
                try await channel.defaultExchange.publish(Message(body: []), routingKey: "k")
                _ = try await peer.expectPublish()
            }
            peer.hangUp()
            _ = try await connection.closed
            try await eventually("all are logged") { log.entries(containing: "was not confirmed").count == 20 }
            #expect(noise.filter { $0.message.contains("was not confirmed") }.count == 1, "\(noise)")
        }
    }
}

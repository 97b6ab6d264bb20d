import TestSupport
import Testing

@testable import RabbitMQ

/// The configuration's times are ten seconds here, the publisher's own thirty.
@Suite("The time that a publisher has", .timeLimit(.minutes(1)))
struct PublisherTimeoutTests {
    private static let short = Duration.milliseconds(100)

    private func use(_ body: (ScriptedPeer, Connection, Publisher) async throws -> Void) async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            async let opening = connection.openPublisher()
            try await peer.openChannel()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await body(peer, connection, try await opening)
        }
    }

    /// What `body` throws, if it does so sooner than by the configuration's time.
    private func failure(_ body: @escaping @Sendable () async throws -> Void) async throws -> AMQPError {
        let start = ContinuousClock.now
        let error = try await thrownError(body)
        #expect(ContinuousClock.now - start < .seconds(8))
        return error
    }

    @Test func `counts also while a message waits to be handed over`() async throws {
        try await use { peer, connection, publisher in
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { connection.blockedReason != nil }
            let given = try await failure {
                try await publisher.publish(Message(body: [1]), routingKey: "q", timeout: Self.short)
            }
            #expect(given.code == .blockedTooLong && given.message.contains("\(Self.short)"))
            let around = try await failure {
                try await withCallTimeout(Self.short) {
                    try await publisher.publish(Message(body: [1]), routingKey: "q")
                }
            }
            #expect(around.code == .blockedTooLong)
            let start = ContinuousClock.now
            let outcomes = await publisher.publish(
                contentsOf: [Message(body: [1]), Message(body: [2])],
                routingKey: "q",
                timeout: Self.short
            )
            #expect(ContinuousClock.now - start < .seconds(8))
            #expect(outcomes.count == 2)
            for outcome in outcomes {
                let error = #expect(throws: AMQPError.self) { try outcome.get() }
                #expect(error?.code == .blockedTooLong)
            }
        }
    }

    @Test func `counts also while the channel is opened again`() async throws {
        try await use { peer, _, publisher in
            try await peer.sendClose(
                .channelClose,
                channel: 1,
                code: 404,
                text: "NOT_FOUND - no exchange 'e' in vhost '/'",
                cause: .basicPublish
            )
            try await peer.expect(.channelCloseOk)
            try await eventually("it is closed") { publisher.channel.closeReason != nil }
            let error = try await failure {
                try await publisher.publish(Message(body: [1]), routingKey: "q", timeout: Self.short)
            }
            #expect(error.code == .blockedTooLong)
        }
    }

    @Test func `where the channel is not opened again in time nothing was sent, and the next message tries anew`()
        async throws
    {
        try await ScriptedClient.run([], { $0.callTimeout = .seconds(1) }) { client in
            let publisher = try await client.connection.openPublisher()
            let session = try client.broker.session
            session.refuse(
                .init(.basicPublish, "missing", code: 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"),
                .init(.channelOpen, code: 0)
            )
            let first = try await thrownError {
                try await publisher.publish(Message(body: [1]), to: "missing", routingKey: "q")
            }
            #expect(first.code == .notFound)
            let second = try await failure { try await publisher.publish(Message(body: [2]), routingKey: "q") }
            #expect(second.code == .blockedTooLong)
            try await publisher.publish(Message(body: [3]), routingKey: "q")
            #expect(session.published.map(\.body) == [[3]])
        }
    }
}

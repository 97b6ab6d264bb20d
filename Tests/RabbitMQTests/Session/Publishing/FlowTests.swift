import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("When the broker stops publishers", .timeLimit(.minutes(1)))
struct FlowTests {
    @Test("channel.flow stops publishing on the channel until the broker resumes it; it is answered")
    func flow() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let exchange = try await channel.declareExchange("")
            try await peer.send(.channelFlow) { $0.octet(0) }
            var stopped = try await peer.expect(.channelFlowOk, channel: 1).fields
            #expect(stopped.octet() == 0)
            let publishing = Task { try await exchange.publish(Message(body: [1]), routingKey: "k") }
            try await eventually("the publisher waits") {
                channel.session.state.withLock { $0.publishers.flowWaiters.isEmpty == false }
            }
            // Calls are not stopped.
            let queue = try await peer.declareQueue(on: channel)
            #expect(queue.name == "q")
            #expect(peer.pendingFrames.isEmpty)
            try await peer.send(.channelFlow) { $0.octet(1) }
            var resumed = try await peer.expect(.channelFlowOk, channel: 1).fields
            #expect(resumed.octet() == 1)
            #expect(try await peer.expectPublish().body == [1])
            _ = try await publishing.value
        }
    }

    @Test("channel.flow whose answers are not taken ends the connection at last")
    func tooManyAnswers() async throws {
        try await ScriptedPeer.withChannel { peer, connection, _ in
            connection.link.outbox.state.withLock { $0.answers = Outbox.mostAnswers }
            try await peer.send(.channelFlow) { $0.octet(0) }
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.error.code == .connectionLost)
            #expect(reason.error.message.contains("takes none"), "\(reason)")
        }
    }

    @Test("connection.blocked stops publishers, is a state and an event, and calls go on; unblocked ends it")
    func blocked() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            var events = connection.events.makeAsyncIterator()
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            let event = await events.next()
            if case .blocked("low on memory") = event {} else { Issue.record("\(String(describing: event))") }
            #expect(connection.blockedReason == "low on memory")
            let publishing = Task { try await exchange.publish(Message(body: [1]), routingKey: "k") }
            let outbox = connection.link.outbox
            try await eventually("the publisher waits") { outbox.state.withLock { !$0.heldBack.isEmpty } }
            _ = try await peer.declareQueue(on: channel)
            #expect(peer.pendingFrames.isEmpty)
            try await peer.send(.connectionUnblocked, channel: 0)
            let next = await events.next()
            if case .unblocked = next {} else { Issue.record("\(String(describing: next))") }
            #expect(try await peer.expectPublish().body == [1])
            _ = try await publishing.value
            #expect(connection.blockedReason == nil)
        }
    }

    @Test("who looks at events no more leaves nothing behind; who does sees the end of the connection")
    func observers() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let kept = connection.events
            for _ in 0..<10 { _ = connection.events }
            for _ in 0..<10 {
                let looking = Task { for await _ in connection.events {} }
                looking.cancel()
                await looking.value
            }
            try await eventually("one is left") { connection.core.events.count == 1 }
            peer.hangUp()
            for await event in kept { Issue.record("\(event)") }
            #expect(connection.core.events.count == 0)
            for await event in connection.events { Issue.record("\(event)") }
        }
    }

    @Test("a publisher that is blocked too long is told why, and calls go on")
    func tooLong() async throws {
        try await ScriptedPeer.withChannel(configure: { $0.publishTimeout = .milliseconds(50) }) {
            peer,
            connection,
            channel in
            let exchange = try await channel.declareExchange("")
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on disk") }
            try await eventually("it is blocked") { connection.blockedReason != nil }
            let error = try await thrownError { try await exchange.publish(Message(body: [1]), routingKey: "k") }
            #expect(error.code == .blockedTooLong)
            #expect(error.message.contains("low on disk"))
            _ = try await peer.declareQueue(on: channel)
        }
    }
}

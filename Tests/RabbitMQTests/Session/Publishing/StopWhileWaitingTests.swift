import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Publishers that wait for something else when the broker stops them", .timeLimit(.minutes(1)))
struct StopWhileWaitingTests {
    private func setFlow(_ peer: ScriptedPeer, isActive: Bool) async throws {
        try await peer.send(.channelFlow) { $0.octet(isActive ? 1 : 0) }
        try await peer.expect(.channelFlowOk, channel: 1)
    }

    private func block(_ peer: ScriptedPeer, _ connection: Connection) async throws {
        try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
        try await eventually("it is blocked") { connection.blockedReason != nil }
    }

    /// Lets publishers through, and waits until they have done what they do then.
    private func unblock(_ peer: ScriptedPeer, _ outbox: Outbox) async throws {
        try await peer.send(.connectionUnblocked, channel: 0)
        try await eventually("nobody is held back") {
            outbox.state.withLock { $0.blockedReason == nil && $0.heldBack.isEmpty && $0.heldBack.promised == 0 }
        }
    }

    @Test func `who waited for room waits for the flow that was stopped meanwhile, and keeps no room from others`()
        async throws
    {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let other = try await peer.openChannel(on: connection, 2)
            let outbox = connection.link.outbox
            try await block(peer, connection)
            let publishing = Task { try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "k") }
            try await eventually("held back") { outbox.state.withLock { $0.heldBack.count } == 1 }
            try await setFlow(peer, isActive: false)
            try await unblock(peer, outbox)
            try await peer.expectNothing(on: channel)
            try await other.defaultExchange.publish(Message(body: [2]), routingKey: "k")
            #expect(try await peer.expectPublish(channel: 2).body == [2])
            try await setFlow(peer, isActive: true)
            #expect(try await peer.expectPublish().body == [1])
            _ = try await publishing.value
        }
    }

    @Test func `who waited for room waits for the commit that began meanwhile`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let outbox = connection.link.outbox
            try await block(peer, connection)
            let publishing = Task { try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "k") }
            try await eventually("held back") { outbox.state.withLock { $0.heldBack.count } == 1 }
            let committing = Task { try await channel.commit() }
            try await peer.expect(.txCommit)
            try await unblock(peer, outbox)
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await committing.value
            #expect(try await peer.expectPublish().body == [1])
            _ = try await publishing.value
        }
    }

    @Test func `who waited for a place among the unconfirmed keeps it while the flow is stopped`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            async let selected: Void = channel.selectConfirms(maxUnconfirmed: 1)
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selected
            let exchange = channel.defaultExchange
            let first = try await exchange.publish(Message(body: [1]), routingKey: "k")
            _ = try await peer.expectPublish()
            let publishing = Task { try await exchange.publish(Message(body: [2]), routingKey: "k") }
            try await eventually("it waits for a place") {
                channel.session.state.withLock { $0.confirms?.waiters.isEmpty } == false
            }
            try await setFlow(peer, isActive: false)
            try await peer.send(.basicAck) {
                $0.longLong(1)
                $0.octet(0)
            }
            try await first.confirmed()
            try await eventually("it waits for the flow") {
                channel.session.state.withLock { !$0.publishers.flowWaiters.isEmpty }
            }
            try await peer.expectNothing(on: channel)
            let hasRoom = channel.session.state.withLock { $0.confirms?.hasRoom }
            #expect(hasRoom == false)
            try await setFlow(peer, isActive: true)
            #expect(try await peer.expectPublish().body == [2])
            _ = try await publishing.value
        }
    }
}

import Dispatch
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("heartbeats", .timeLimit(.minutes(1)))
struct HeartbeatTests {
    private let second = ScriptedPeer.Tune(heartbeat: 1)

    /// Waits until Dispatch has fired the timers for this time, and with them all for earlier times.
    private func reach(_ time: DispatchTime) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: time) { continuation.resume() }
        }
    }

    @Test func `danger: a peer that falls silent is noticed after two intervals`() async throws {
        try await ScriptedPeer.withConnection(tune: second) { configuration in
            configuration.heartbeat = .seconds(60)
        } _: { peer, connection in
            #expect(connection.heartbeat == .seconds(1))
            let metronome = Metronome()
            let start = ContinuousClock.now
            let reason = try await within(.seconds(15), "the end") { try await connection.closed }
            let time = ContinuousClock.now - start
            #expect(reason.kind == .lost)
            #expect(time > .milliseconds(1900) && time < .seconds(3) + metronome.lateness)
        }
    }

    @Test func `any byte is a sign of life, and a frame goes out every half interval`() async throws {
        try await ScriptedPeer.withChannel(tune: second) { configuration in
            configuration.heartbeat = .seconds(1)
        } _: { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            let metronome = Metronome()
            var last = ContinuousClock.now
            let end = last + .seconds(4)
            var longest = Duration.zero
            var count = 0
            // A publish now and then shifts when the next heartbeat is due.
            let publishing = Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: .milliseconds(630))
                    try await exchange.publish(Message("x"), routingKey: "q")
                }
            }
            while ContinuousClock.now < end {
                let frame = try await peer.nextFrame()
                let now = ContinuousClock.now
                longest = max(longest, now - last)
                last = now
                if frame.type == PeerFrame.Kind.heartbeat { count += 1 }
                // Spoken as often as the client is heard.
                try await peer.send(.heartbeat)
            }
            publishing.cancel()
            #expect(longest < .milliseconds(900) + metronome.lateness * 2)
            #expect(count >= 3)
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `what came while the queue was busy counts as heard`() async throws {
        try await ScriptedPeer.withConnection(tune: second) { configuration in
            configuration.heartbeat = .seconds(1)
        } _: { peer, connection in
            let gate = DispatchSemaphore(value: 0)
            connection.link.onQueue { _ in gate.wait() }
            let start = DispatchTime.now()
            // The link's timer fires first, then there is something to read.
            await reach(start + .milliseconds(600))
            try await peer.send(.heartbeat)
            // And more than two intervals pass before anybody reads it.
            await reach(start + .milliseconds(2300))
            gate.signal()
            try await eventually("a heartbeat") { !peer.pendingFrames.isEmpty || connection.closeReason != nil }
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `a pause of reading is no silence`() async throws {
        try await ScriptedPeer.withChannel(tune: second) { configuration in
            configuration.heartbeat = .seconds(1)
            configuration.inboundHighWater = 16 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let body = [UInt8](repeating: 1, count: 32 * 1024)
            try await peer.send(PeerFrame.delivery(body, tag: 1, consumer: deliveries.consumer.tag))
            try await eventually("reading pauses") { await connection.link.isReadingPaused }
            var beats = 0
            while beats < 7 {
                if try await peer.nextFrame().type == PeerFrame.Kind.heartbeat { beats += 1 }
            }
            #expect(connection.closeReason == nil)
            // And it is heard again when reading goes on.
            var iterator = deliveries.makeAsyncIterator()
            _ = try await iterator.next()
            try await peer.send(.heartbeat)
            try await eventually("reading goes on") { await !connection.link.isReadingPaused }
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `a client that wants none sends none, and minds no silence`() async throws {
        try await ScriptedPeer.withConnection(tune: second) { configuration in
            configuration.heartbeat = .zero
        } _: { peer, connection in
            #expect(connection.heartbeat == .zero)
            // Longer than the two intervals of what the peer has proposed.
            await reach(.now() + .milliseconds(2300))
            #expect(peer.pendingFrames == [])
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `a peer that goes silent while a call waits for its answer fails the call`() async throws {
        try await ScriptedPeer.withChannel(tune: second) { configuration in
            configuration.heartbeat = .seconds(1)
        } _: { peer, connection, channel in
            let error = try await thrownError(within: .seconds(15)) { try await channel.declareQueue("q") }
            #expect(error.code == .connectionLost)
        }
    }

    @Test func `danger: a peer that goes silent is noticed by a publisher whose socket is full`() async throws {
        try await ScriptedPeer.withChannel(tune: second, sendBuffer: 4096) { configuration in
            configuration.heartbeat = .seconds(1)
            configuration.outboundHighWater = 64 * 1024
        } _: { peer, connection, channel in
            peer.pauseReading()
            let exchange = try await channel.declareExchange("")
            let error = try await thrownError(within: .seconds(15)) {
                while true {
                    try await exchange.publish(Message(body: [UInt8](repeating: 0, count: 10_000)), routingKey: "q")
                }
            }
            #expect(error.code == .connectionLost)
        }
    }
}

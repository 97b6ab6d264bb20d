import Dispatch
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("heartbeats", .timeLimit(.minutes(1)))
struct HeartbeatTests {
    private let second = ScriptedPeer.Tune(heartbeat: 1)
    private let twoSeconds = ScriptedPeer.Tune(heartbeat: 2)

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

    @Test func `an idle client sends a heartbeat every half interval`() async throws {
        try await ScriptedPeer.withConnection(tune: twoSeconds) { configuration in
            configuration.heartbeat = .seconds(2)
        } _: { peer, connection in
            let metronome = Metronome()
            let start = ContinuousClock.now
            var count = 0
            while true {
                #expect(try await peer.nextFrame() == .heartbeat)
                guard ContinuousClock.now - start < .seconds(8) + metronome.lateness * 8 else { break }
                count += 1
                try await peer.send(.heartbeat)
            }
            // Seven or eight in eight seconds; with one an interval it would be four. The peer answers within four.
            #expect(count >= 6)
            #expect(connection.closeReason == nil)
        }
    }

    enum SignOfLife: CaseIterable, Sendable { case methods, singleBytes }

    @Test(arguments: SignOfLife.allCases)
    func `a peer that sends no heartbeats but anything else, if only a byte, counts as alive`(sign: SignOfLife)
        async throws
    {
        try await ScriptedPeer.withConnection(tune: second) { configuration in
            configuration.heartbeat = .seconds(1)
        } _: { peer, connection in
            let blocked = PeerFrame.method(.connectionBlocked, channel: 0) { $0.shortString("low on disk") }
            var rest = blocked.bytes[...]
            let start = ContinuousClock.now
            // The client's heartbeats, two an interval, say when.
            for _ in 0..<7 {
                #expect(try await peer.nextFrame("a heartbeat") == .heartbeat)
                switch sign {
                case .methods: try await peer.send(blocked)
                case .singleBytes: try await peer.send([rest.removeFirst()])
                }
            }
            // More than the two intervals after which silence is the end.
            #expect(ContinuousClock.now - start > .seconds(2))
            try await peer.send(Array(rest))
            try await eventually("it is heard") { connection.blockedReason == "low on disk" }
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
            try await eventually("reading pauses") { await connection.link.reading.isPaused }
            var beats = 0
            while beats < 7 {
                if try await peer.nextFrame().type == PeerFrame.Kind.heartbeat { beats += 1 }
            }
            #expect(connection.closeReason == nil)
            // And it is heard again when reading goes on.
            var iterator = deliveries.makeAsyncIterator()
            _ = try await iterator.next()
            try await peer.send(.heartbeat)
            try await eventually("reading goes on") { await !connection.link.reading.isPaused }
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

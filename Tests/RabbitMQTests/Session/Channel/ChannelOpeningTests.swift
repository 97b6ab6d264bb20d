import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("opening channels", .timeLimit(.minutes(1)))
struct ChannelOpeningTests {
    @Test func `an answer that is read before the queue took the channel over finds it`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let gate = DispatchSemaphore(value: 0)
            defer { gate.signal() }
            // The queue has come so far: what it still read would not be there any more.
            await withCheckedContinuation { continuation in
                connection.link.onQueue { _ in
                    continuation.resume()
                    gate.wait()
                }
            }
            // In the queue, in this order: a flush, something to read, then what the opening adds.
            try connection.link.outbox.append { $0.appendHeartbeat() }
            try await peer.send(.heartbeat)
            try await becomesReadable(peer.clientSocket)
            async let opening = connection.openChannel()
            try await eventually("channel.open is in the outbox") {
                connection.link.outbox.state.withLock { $0.buffer.byteCount > 8 }
            }
            try await peer.send(.channelOpenOk, channel: 1) { $0.longString("") }
            gate.signal()
            let channel = try await opening
            #expect(channel.number == 1)
            #expect(connection.closeReason == nil)
        }
    }

    /// Waits until whoever reads from the socket has been told that there is something.
    private func becomesReadable(_ descriptor: Int32) async throws {
        // A descriptor of its own: the other is being watched.
        let copy = dup(descriptor)
        let (events, continuation) = AsyncStream<Void>.makeStream()
        let watch = try SocketPoller.shared.watch(copy) { _, _ in continuation.yield() }
        // The first time, others may be told after this; the second time they have been.
        var iterator = events.makeAsyncIterator()
        for _ in 0..<2 {
            watch.arm(.readable)
            await iterator.next()
        }
        watch.cancel()
        close(copy)
    }

    @Test func `channels opened at once get numbers of their own`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let opening = Task {
                try await withThrowingTaskGroup(of: Channel.self) { group in
                    for _ in 0..<100 { group.addTask { try await connection.openChannel() } }
                    return try await group.reduce(into: [Channel]()) { $0.append($1) }
                }
            }
            for _ in 0..<100 { try await peer.openChannel(nil) }
            let channels = try await within(.seconds(10), "the channels") { try await opening.value }
            #expect(channels.map(\.number).sorted() == Array(1...100))
        }
    }

    @Test func `as many as the broker allows`() async throws {
        try await ScriptedPeer.withConnection(tune: ScriptedPeer.Tune(channelMax: 2)) { peer, connection in
            #expect(connection.channelMax == 2)
            let first = try await peer.openChannel(on: connection)
            let second = try await peer.openChannel(on: connection)
            let error = try await thrownError { try await connection.openChannel() }
            #expect(error.code == .tooManyChannels)
            withExtendedLifetime((first, second)) {}
        }
    }

    @Test func `a caller that is cancelled meanwhile leaves no channel behind`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let opening = Task { try await connection.openChannel() }
            try await peer.expect(.channelOpen, channel: 1)
            opening.cancel()
            try await peer.expect(.channelClose, channel: 1)
            await #expect(throws: CancellationError.self) { _ = try await opening.value }
            // Both answers come late.
            try await peer.send(.channelOpenOk, channel: 1) { $0.longString("") }
            try await peer.send(.channelCloseOk, channel: 1)
            try await eventually("the number is free") { connection.link.numbers.withLock { $0.take() } == 1 }
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `a broker that refuses the channel says why`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let opening = Task { try await connection.openChannel() }
            try await peer.expect(.channelOpen, channel: 1)
            try await peer.sendClose(.connectionClose, channel: 0, code: 504, text: "second 'channel.open' seen")
            let error = try await thrownError { try await opening.value }
            #expect(error.code == .connectionClosed)
            #expect(error.replyCode == .channelError)
        }
    }

    @Test func `one that the broker closes as it opens tells its end`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            for _ in 0..<50 {
                let opening = Task { try await connection.openChannel() }
                let number = try await peer.expect(.channelOpen).channel
                try await peer.send(
                    .method(.channelOpenOk, channel: number) { $0.longString("") },
                    .method(.channelClose, channel: number) {
                        $0.short(406)
                        $0.shortString("PRECONDITION_FAILED - closed at once")
                        $0.short(0)
                        $0.short(0)
                    }
                )
                let error = try await within(.seconds(10), "its end") { () async throws -> AMQPError in
                    try await opening.value.closed
                }
                #expect(error.code == .preconditionFailed)
                try await peer.expect(.channelCloseOk, channel: number)
            }
        }
    }

    @Test func `a broker that never answers is given up in time`() async throws {
        try await ScriptedPeer.withConnection { configuration in
            configuration.callTimeout = .milliseconds(100)
        } _: { peer, connection in
            let error = try await thrownError(within: .seconds(10)) { try await connection.openChannel() }
            #expect(error.code == .timedOut)
        }
    }

    @Test func `dropping the last handle closes the channel, and then the connection`() async throws {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        func exchange() async throws -> Exchange {
            let connection = try await peer.connect()
            return try await peer.openChannel(on: connection).declareExchange("")
        }
        // An exchange keeps channel and connection.
        func publishOnce() async throws {
            let exchange = try await exchange()
            try await exchange.publish(Message("still here"), routingKey: "q")
            _ = try await peer.expectPublish()
            #expect(peer.pendingFrames == [])
        }
        try await publishOnce()
        try await peer.expect(.channelClose, channel: 1)
        try await peer.expectClose()
    }
}

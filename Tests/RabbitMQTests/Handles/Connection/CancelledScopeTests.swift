import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// A process that is told to stop cancels its tasks: what they have published before is to arrive all the same.
@Suite("closing in a task that is cancelled", .timeLimit(.minutes(1)))
struct CancelledScopeTests {
    /// A task that runs a body, is cancelled by it, and says when it has returned.
    private final class Scope: Sendable {
        private let returned = Mutex(false)
        private let cancelled = Mutex(false)

        var hasReturned: Bool { returned.withLock { $0 } }
        var isCancelled: Bool { cancelled.withLock { $0 } }

        func run(_ body: @escaping @Sendable (Scope) async throws -> Void) -> Task<Void, any Error> {
            Task {
                defer { returned.withLock { $0 = true } }
                try await body(self)
            }
        }

        /// Cancels the task that calls this.
        func cancel() {
            withUnsafeCurrentTask { $0?.cancel() }
            cancelled.withLock { $0 = true }
        }
    }

    @Test(arguments: [false, true])
    func `a connection's scope sends what was published, and waits for the broker's answer`(throwing: Bool) async throws
    {
        let peer = try ScriptedPeer(sendBuffer: 4096)
        defer { peer.hangUp() }
        let scope = Scope()
        let task = scope.run { [configuration = peer.configuration] scope in
            try await Connection.withConnection(configuration) { connection in
                let exchange = try await connection.openChannel().declareExchange("")
                for number in 0..<1000 { try await exchange.publish(Message("\(number)"), routingKey: "q") }
                scope.cancel()
                if throwing { try Task.checkCancellation() }
            }
        }
        try await peer.handshake()
        try await peer.openChannel()
        peer.pauseReading()
        try await eventually("the task is cancelled") { scope.isCancelled }
        peer.resumeReading()
        for number in 0..<1000 {
            #expect(String(decoding: try await peer.expectPublish().body, as: UTF8.self) == "\(number)")
        }
        // The channel is not held any more, and may be closed first.
        while try await peer.next().method != .connectionClose {}
        #expect(!scope.hasReturned)
        try await peer.send(.connectionCloseOk, channel: 0)
        let result = try await within(.seconds(10), "the scope's end") { await task.result }
        if throwing {
            #expect(throws: CancellationError.self) { try result.get() }
        } else {
            #expect(throws: Never.self) { try result.get() }
        }
    }

    @Test func `a channel's scope waits for the broker's answer`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let scope = Scope()
            let task = scope.run { scope in
                try await connection.withChannel { channel in
                    let exchange = try await channel.declareExchange("")
                    try await exchange.publish(Message("x"), routingKey: "q")
                    scope.cancel()
                }
            }
            try await peer.openChannel()
            _ = try await peer.expectPublish()
            try await peer.expect(.channelClose, channel: 1)
            #expect(!scope.hasReturned)
            try await peer.send(.channelCloseOk, channel: 1)
            try await within(.seconds(10), "the scope's end") { try await task.value }
        }
    }

    @Test func `an RPC client's scope waits for the broker's answer`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let scope = Scope()
            let task = scope.run { scope in
                try await connection.withRPCClient { _ in scope.cancel() }
            }
            try await peer.openChannel()
            try await peer.startConsumer()
            try await peer.expect(.channelClose, channel: 1)
            #expect(!scope.hasReturned)
            try await peer.send(.channelCloseOk, channel: 1)
            try await within(.seconds(10), "the scope's end") { try await task.value }
        }
    }

    /// How a peer may fail to answer.
    enum Silence: CaseIterable {
        case readsNothing, answersNothing, blocks
    }

    @Test(arguments: Silence.allCases)
    func `it takes no longer than closeTimeout, whatever the peer does`(silence: Silence) async throws {
        let log = CapturedLog()
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { configuration in
            configuration.closeTimeout = .milliseconds(300)
            configuration.logger = log.logger
        } _: { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            if silence != .answersNothing { peer.pauseReading() }
            if silence == .blocks {
                try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
                try await eventually("it is blocked") { connection.blockedReason != nil }
            }
            let publishing = Task {
                try await exchange.publish(Message(body: [UInt8](repeating: 1, count: 256 * 1024)), routingKey: "q")
            }
            if silence != .blocks { _ = try await publishing.value }
            let closing = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await channel.close()
                await connection.close()
            }
            try await within(.seconds(10), "closing") { await closing.value }
            #expect(connection.closeReason?.kind == .closedByApplication)
            if silence == .blocks {
                // One that waits for room is told that its message was not sent.
                #expect(try await thrownError { try await publishing.value }.code == .channelClosed)
            }
            // What was handed over and not sent is told, once the end is known.
            try await eventually("the end is logged") { log.entries(containing: "connection ended").count == 1 }
            let warnings = log.entries(containing: "warning connection ended")
            #expect(warnings.count == (silence == .readsNothing ? 1 : 0))
            for warning in warnings { #expect("\(warning)".contains("unsent-bytes"), "\(warning)") }
        }
    }

    @Test func `closing ends in time though the log holds up the link's queue`() async throws {
        let gate = DispatchSemaphore(value: 0)
        try await ScriptedPeer.withConnection { configuration in
            configuration.closeTimeout = .milliseconds(100)
        } _: { _, connection in
            connection.link.onQueue { _ in gate.wait() }
            defer { gate.signal() }
            try await within(.seconds(10), "closing") { await connection.close() }
        }
    }

    @Test func `a connection that nobody holds any more sends what was published`() async throws {
        let peer = try ScriptedPeer(sendBuffer: 4096)
        defer { peer.hangUp() }
        do {
            let connection = try await peer.connect()
            let channel = try await peer.openChannel(on: connection)
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            for number in 0..<1000 { try await exchange.publish(Message("\(number)"), routingKey: "q") }
        }
        peer.resumeReading()
        for number in 0..<1000 {
            #expect(String(decoding: try await peer.expectPublish().body, as: UTF8.self) == "\(number)")
        }
        try await peer.expect(.channelClose, channel: 1)
        try await peer.expectClose()
    }
}

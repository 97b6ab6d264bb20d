import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("connecting to peers that hang", .serialized, .timeLimit(.minutes(2)))
struct HangingConnectsTests {
    private static let count = 300

    /// Connects many times to a peer that says nothing, lends the tasks to `body`, and cancels them.
    private func withHangingConnects(
        tls: ConnectionConfiguration.TLS?,
        _ body: ([Task<Connection, any Error>]) async throws -> Void
    ) async throws {
        try await RudeListener.run(.silent) { listener in
            var configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port, tls: tls)
            configuration.connectTimeout = .seconds(100)
            let connecting = (0..<Self.count).map { _ in
                Task { [configuration] in try await Connection.connect(configuration) }
            }
            defer { for task in connecting { task.cancel() } }
            try await eventually("all are accepted", within: .seconds(60)) { listener.acceptedCount == Self.count }
            try await body(connecting)
            for task in connecting { task.cancel() }
            for task in connecting {
                let result = try await within(.seconds(10), "the end") { await task.result }
                #expect(throws: CancellationError.self) { try result.get() }
            }
            try await eventually("their sockets are closed") { listener.leftCount == Self.count }
        }
    }

    @Test(arguments: [true, false])
    func `takes no thread for each, and leaves the others alone`(isTLS: Bool) async throws {
        var tls = ConnectionConfiguration.TLS()
        tls.verification = .none
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let selecting: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selecting
            let exchange = try await channel.declareExchange("")
            let threads = try ProcessMeasure.threads
            try await withHangingConnects(tls: isTLS ? tls : nil) { connecting in
                let hanging = Collected<Void>()
                for task in connecting {
                    Task {
                        _ = await task.result
                        hanging.add(())
                    }
                }
                for number in 1...20 as ClosedRange<UInt64> {
                    async let confirming: Void = exchange.publishConfirmed(Message("x"), routingKey: "q")
                    _ = try await peer.expectPublish()
                    try await peer.sendAck(number)
                    try await confirming
                }
                // New ones connect.
                let other = try ScriptedPeer()
                let connection = try await other.connect()
                async let closing: Void = connection.close()
                try await other.expectClose()
                await closing
                #expect(hanging.count == 0)
                // Other tests run beside this one. To log in, which blocks nobody, each link's queue has a thread for a
                // moment.
                if isTLS { #expect(try ProcessMeasure.threads - threads < 100) }
            }
        }
    }

    @Test func `ends at the deadline where TCP is not answered`() async throws {
        let listener = try DeafListener()
        var configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port)
        configuration.connectTimeout = .milliseconds(300)
        let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
        #expect(error.code == .timedOut)
        #expect(error.message.contains("did not answer"), "\(error)")
        configuration.connectTimeout = .seconds(100)
        let connecting = Task { [configuration] in try await Connection.connect(configuration) }
        try await Task.sleep(for: .milliseconds(50))
        connecting.cancel()
        let result = try await within(.seconds(10), "the end") { await connecting.result }
        #expect(throws: CancellationError.self) { try result.get() }
    }

    @Test func `says why there is no connection`() async throws {
        try await RudeListener.run(.refuses) { listener in
            let configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port)
            let error = try await thrownError { try await Connection.connect(configuration) }
            #expect(error.code == .connectionFailed)
            #expect(error.message.contains("127.0.0.1, port \(listener.port): Connection refused"), "\(error)")
        }
    }
}

/// A listener on loopback whose queue is full: the system answers nobody else.
private final class DeafListener {
    let port: Int
    private var descriptors: [Int32] = []

    init() throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptors = (0..<4).map { _ in socket(AF_INET, type, 0) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = descriptors[0]
        let guests = descriptors.dropFirst()
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(listener, address, size) == 0, listen(listener, 0) == 0,
                    getsockname(listener, address, &size) == 0
                else { return false }
                for guest in guests { _ = connect(guest, address, size) }
                return true
            }
        }
        guard isListening else { throw PeerError("no listener: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a peer that never stops sending during the handshake of TLS", .serialized, .timeLimit(.minutes(2)))
struct FloodedHandshakeTests {
    private func configuration(_ listener: FloodingListener, timeout: Duration) -> ConnectionConfiguration {
        var tls = ConnectionConfiguration.TLS()
        tls.verification = .none
        var configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port, tls: tls)
        configuration.connectTimeout = timeout
        return configuration
    }

    @Test func `is given up at the deadline, and holds up nobody else who connects`() async throws {
        let listener = try FloodingListener()
        defer { listener.stop() }
        let configuration = configuration(listener, timeout: .milliseconds(500))
        let flooded = (0..<6).map { _ in Task { try await Connection.connect(configuration) } }
        try await eventually("they are flooded") { listener.acceptedCount == flooded.count }
        let other = try ScriptedPeer()
        let connection = try await within(.seconds(20), "another connects") { try await other.connect() }
        for task in flooded {
            let result = try await within(.seconds(20), "the deadline") { await task.result }
            let error = #expect(throws: AMQPError.self) { try result.get() }
            #expect(
                (error?.underlying as? TLSFailure).map { $0.reason == .timedOut } ?? (error?.code == .timedOut),
                "\(String(describing: error))"
            )
        }
        try await eventually("the sockets are closed") { listener.leftCount == flooded.count }
        withExtendedLifetime(connection) {}
    }

    @Test func `is left when the task is cancelled`() async throws {
        let listener = try FloodingListener()
        defer { listener.stop() }
        let configuration = configuration(listener, timeout: .seconds(100))
        let flooded = (0..<6).map { _ in Task { try await Connection.connect(configuration) } }
        try await eventually("they are flooded") { listener.acceptedCount == flooded.count }
        for task in flooded { task.cancel() }
        for task in flooded {
            let result = try await within(.seconds(20), "the end") { await task.result }
            #expect(throws: CancellationError.self) { try result.get() }
        }
        try await eventually("the sockets are closed") { listener.leftCount == flooded.count }
    }
}

/// A listener on loopback that sends empty requests to begin anew, which a client skips before the server's hello, for as
/// long as they are taken.
private final class FloodingListener: Sendable {
    let port: Int
    private let listener: Int32
    private let guests = Mutex<[Int32]>([])

    private let left = Mutex(0)

    var leftCount: Int { left.withLock { $0 } }

    var acceptedCount: Int { guests.withLock { $0.count } }

    init() throws {
        let opened = try LoopbackListener(isBlocking: true)
        listener = opened.descriptor
        port = opened.port
        Thread.detachNewThread { [self] in accept() }
    }

    private func accept() {
        while case let guest = Glibc.accept(listener, nil, nil), guest >= 0 {
            _ = fcntl(guest, F_SETFD, FD_CLOEXEC)
            guests.withLock { $0.append(guest) }
            Thread.detachNewThread { [self] in
                let record: [UInt8] = [0x16, 3, 3, 0x40, 0] + [UInt8](repeating: 0, count: 0x4000)
                var sent = 0
                while sent >= 0 {
                    let rest = record[(sent % record.count)...]
                    let count = rest.withUnsafeBytes { send(guest, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                    sent = count < 0 ? -1 : sent + count
                }
                close(guest)
                left.withLock { $0 += 1 }
            }
        }
        close(listener)
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}

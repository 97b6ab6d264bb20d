import Glibc
import Testing

@testable import RabbitMQ

@Suite("waiting for a socket that is always ready", .timeLimit(.minutes(1)))
struct SocketReadinessTests {
    /// Lends a socket that can be written.
    private func withReadySocket(_ body: (SocketReadiness) async throws -> Void) async throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
        defer { for descriptor in pair { close(descriptor) } }
        let readiness = try SocketReadiness(pair[0])
        defer { readiness.cancel() }
        try await body(readiness)
    }

    @Test func `ends at once, as long as there is time`() async throws {
        try await withReadySocket { try await $0.wait(for: .writable, until: .max) }
    }

    @Test func `fails at the deadline all the same`() async throws {
        try await withReadySocket { readiness in
            let error = await #expect(throws: AMQPError.self) {
                try await readiness.wait(for: .writable, until: MonotonicTime.now)
            }
            #expect(error?.code == .timedOut)
        }
    }

    @Test func `fails in a task that is cancelled all the same`() async throws {
        try await withReadySocket { readiness in
            let waiting = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await readiness.wait(for: .writable, until: .max)
            }
            let error = await #expect(throws: AMQPError.self) { try await waiting.value }
            #expect(error?.code == .connectionClosed)
        }
    }
}

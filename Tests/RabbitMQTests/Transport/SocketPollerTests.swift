import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the socket poller", .timeLimit(.minutes(1)))
struct SocketPollerTests {
    /// Two sockets that are connected, and what was told of the first.
    private final class Pair: Sendable {
        let ends: [Int32]
        let told = Collected<SocketPoller.Events>()

        init() throws {
            var ends: [Int32] = [-1, -1]
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw PeerError("no socketpair: errno \(errno)") }
            self.ends = ends
        }

        deinit { for end in ends { close(end) } }

        func watch(by poller: SocketPoller) throws -> SocketWatch {
            try poller.watch(ends[0]) { [told] events, _ in told.add(events) }
        }

        func send() { _ = Glibc.send(ends[1], [1], 1, Int32(MSG_NOSIGNAL)) }
    }

    @Test func `tells once for each time that a watch is armed, and only what it is armed for`() async throws {
        let pair = try Pair()
        let watch = try pair.watch(by: .shared)
        pair.send()
        watch.arm(.writable)
        try await eventually("writable") { pair.told.all == [.writable] }
        watch.arm(.readable)
        try await eventually("readable") { pair.told.all == [.writable, .readable] }
        watch.arm([.readable, .writable])
        try await eventually("both") { pair.told.all == [.writable, .readable, [.readable, .writable]] }
        watch.cancel()
        #expect(!watch.arm(.readable))
        #expect(pair.told.count == 3)
    }

    @Test(arguments: [.readable, .writable, .hungUp] as [SocketPoller.Events])
    func `a hang-up is told, and as readable and writable, whatever the watch is armed for`(
        events: SocketPoller.Events
    ) async throws {
        let pair = try Pair()
        let watch = try pair.watch(by: .shared)
        shutdown(pair.ends[1], Int32(SHUT_RDWR))
        watch.arm(events)
        try await eventually("the hang-up") { pair.told.all.contains([.readable, .writable, .hungUp]) }
        watch.cancel()
    }

    @Test func `a hang-up in one direction is told to who asks for it, though there is more to read`() async throws {
        let pair = try Pair()
        let watch = try pair.watch(by: .shared)
        pair.send()
        watch.arm(.hungUp)
        shutdown(pair.ends[1], Int32(SHUT_WR))
        try await eventually("the hang-up") { pair.told.all == [.hungUp] }
        watch.cancel()
    }

    @Test func `what can't be watched is refused`() throws {
        let error = #expect(throws: AMQPError.self) { _ = try SocketPoller.shared.watch(-1) { _, _ in } }
        #expect(error?.code == .connectionFailed)
        let pair = try Pair()
        let watch = try pair.watch(by: .shared)
        let twice = #expect(throws: AMQPError.self) { _ = try pair.watch(by: .shared) }
        #expect(twice?.code == .connectionFailed)
        watch.cancel()
    }

    @Test func `an application that closes the poller's descriptor has everyone told, and a new one is made`()
        async throws
    {
        let poller = SocketPoller()
        let pair = try Pair()
        let watch = try pair.watch(by: poller)
        watch.arm(.readable)
        let descriptor = try #require(poller.descriptor)
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(null, descriptor)
        close(null)
        // The thread sleeps on what it has until something comes.
        pair.send()
        try await eventually("everyone is told") {
            poller.descriptor == nil && pair.told.all.last == [.readable, .writable]
        }
        #expect(!watch.arm(.readable))
        let other = try Pair()
        let next = try other.watch(by: poller)
        other.send()
        next.arm(.readable)
        try await eventually("the new one tells") { other.told.all == [.readable] }
        next.cancel()
        close(descriptor)
    }

    @Test func `its thread leaves the process's signals to others, and keeps those of a fault`() async throws {
        let pair = try Pair()
        let masked = Collected<[Bool]>()
        let watch = try SocketPoller.shared.watch(pair.ends[0]) { _, _ in
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            masked.add([SIGTERM, SIGINT, SIGCHLD, SIGSEGV, SIGILL, SIGPROF].map { sigismember(&mask, $0) == 1 })
        }
        watch.arm(.writable)
        try await eventually("it was called") { masked.count == 1 }
        #expect(masked.all == [[true, true, true, false, false, false]])
        watch.cancel()
    }
}

internal import Glibc
public import RabbitMQ
internal import Synchronization

/// Where clients connect to by themselves, and again when they were cut off: each connection is a scripted peer.
public final class ScriptedListener: Sendable {
    private struct State {
        var accepted: [Int32] = []
        var count = 0
        var isStopped = false
    }

    /// Where it listens, on 127.0.0.1.
    public let port: Int

    private let listener: Int32
    private let thread: PollThread
    private let state = Mutex(State())

    public init() throws {
        let opened = try LoopbackListener()
        let listener = opened.descriptor
        self.listener = listener
        port = opened.port
        do {
            thread = try PollThread()
        } catch {
            close(listener)
            throw error
        }
        thread.watch(listener) { [weak self] in self?.noteConnection() }
    }

    deinit { stop() }

    /// How many connections it has accepted.
    public var acceptedCount: Int { state.withLock { $0.count } }

    /// Listens no more; connections that were accepted and not taken are closed.
    public func stop() {
        let left = state.withLock { state -> [Int32]? in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            defer { state.accepted = [] }
            return state.accepted
        }
        guard let left else { return }
        for descriptor in left { close(descriptor) }
        thread.close(listener)
        thread.finish()
    }

    private func noteConnection() {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let isTaken = state.withLock { state in
            guard !state.isStopped else { return false }
            state.accepted.append(connection)
            state.count += 1
            return true
        }
        if !isTaken { close(connection) }
    }

    /// The next connection, which is waited for.
    public func accept(within limit: Duration = .seconds(10)) async throws -> ScriptedPeer {
        let end = ContinuousClock.now + limit
        while true {
            let next = state.withLock { $0.accepted.isEmpty ? nil : $0.accepted.removeFirst() }
            if let next { return try ScriptedPeer(accepted: next) }
            guard ContinuousClock.now < end else { throw PeerError("nobody has connected") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// How a client connects: no heartbeats, deadlines that end a test before it is killed, and quick tries.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(host: "127.0.0.1", port: port)
        configuration.heartbeat = .zero
        configuration.connectTimeout = .seconds(10)
        configuration.callTimeout = .seconds(10)
        configuration.publishTimeout = .seconds(10)
        configuration.closeTimeout = .seconds(5)
        configuration.recovery.firstDelay = .zero
        configuration.recovery.backOff = .milliseconds(4)
        configuration.recovery.maxDelay = .milliseconds(20)
        return configuration
    }
}

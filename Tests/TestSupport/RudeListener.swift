internal import Glibc
internal import Synchronization

/// A TCP listener on loopback that speaks no protocol.
public final class RudeListener: Sendable {
    /// What it does with a connection.
    public enum Manner: Sendable {
        /// It refuses it: the port is taken, and nobody listens.
        case refuses
        /// It accepts it, and never answers.
        case silent
        /// It closes it as soon as something comes.
        case closes
        /// It resets it as soon as something comes.
        case resets
        /// It answers whatever comes with these bytes.
        case says([UInt8])
        /// It answers what comes first with the first of these, what comes next with the next, and then no more.
        case answers([[UInt8]])

        fileprivate var refuses: Bool { if case .refuses = self { true } else { false } }
    }

    /// Where it listens, on 127.0.0.1.
    public let port: Int

    /// Whether a client has sent something.
    public var isSpokenTo: Bool { hasHeardSomething.withLock { $0 } }

    /// Whether a client has closed its connection.
    public var isLeft: Bool { leftCount > 0 }

    /// How many connections it has accepted.
    public var acceptedCount: Int { accepted.withLock { $0 } }

    /// How many clients have closed their connection.
    public var leftCount: Int { left.withLock { $0 } }

    private let hasHeardSomething = Mutex(false)
    private let accepted = Mutex(0)
    private let left = Mutex(0)
    private let isStopped = Mutex(false)
    private let manner: Manner
    private let listener: Int32
    private let thread: PollThread

    /// Listens, lends the listener to `body`, and ends.
    public static func run<R>(_ manner: Manner, _ body: (RudeListener) async throws -> R) async throws -> R {
        let listener = try RudeListener(manner)
        defer { listener.stop() }
        return try await body(listener)
    }

    /// Ends it; the connections that it has go on until their clients leave.
    public func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else { return }
        thread.close(listener)
        thread.finish()
    }

    /// Listens, until it is told to stop.
    public init(_ manner: Manner) throws {
        self.manner = manner
        let opened = try LoopbackListener(backlog: manner.refuses ? nil : 1024)
        let listener = opened.descriptor
        self.listener = listener
        port = opened.port
        do {
            thread = try PollThread()
        } catch {
            close(listener)
            throw error
        }
        // What is bound and does not listen has hung up, says poll.
        if !manner.refuses { thread.watch(listener) { [weak self] in self?.accept() } }
    }

    deinit { stop() }

    private func accept() {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        _ = fcntl(connection, F_SETFL, O_NONBLOCK)
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let guest = Guest(descriptor: connection, thread: thread)
        accepted.withLock { $0 += 1 }
        thread.watch(connection) { [self] in hear(guest) }
    }

    /// Takes what a client has sent.
    private func hear(_ guest: Guest) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(guest.descriptor, &bytes, bytes.count, 0)
        guard count > 0 else {
            left.withLock { $0 += 1 }
            return guest.leave()
        }
        hasHeardSomething.withLock { $0 = true }
        switch manner {
        case .silent, .refuses: return
        case .closes: guest.leave()
        case .resets: guest.leave(abruptly: true)
        case .says(let answer): guest.send(answer)
        case .answers(let answers):
            if guest.answered.count < answers.count { guest.send(answers[guest.answered.count]) }
            guest.answered.add(count)
        }
    }
}

/// A connection that a rude listener has accepted, on the listener's thread.
private struct Guest: Sendable {
    let descriptor: Int32
    let thread: PollThread
    let answered = Collected<Int>()

    init(descriptor: Int32, thread: PollThread) {
        self.descriptor = descriptor
        self.thread = thread
    }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    func leave(abruptly: Bool = false) {
        if abruptly {
            var atOnce = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
        }
        thread.close(descriptor)
    }
}

internal import Dispatch
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
    public var isLeft: Bool { hasSeenEnd.withLock { $0 } }

    private let hasHeardSomething = Mutex(false)
    private let hasSeenEnd = Mutex(false)
    private let manner: Manner
    private let listener: Int32
    private let queue = DispatchQueue(label: "test.rude-listener")
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// Listens, lends the listener to `body`, and ends.
    public static func run<R>(_ manner: Manner, _ body: (RudeListener) async throws -> R) async throws -> R {
        let listener = try RudeListener(manner)
        defer { listener.stop() }
        return try await body(listener)
    }

    /// Ends it; the connections that it has go on until their clients leave.
    public func stop() { source.cancel() }

    /// Listens, until it is told to stop.
    public init(_ manner: Manner) throws {
        self.manner = manner
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_INET, type, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && (manner.refuses || listen(listener, 16) == 0)
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isListening else {
            close(listener)
            throw PeerError("no listener: errno \(errno)")
        }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        source = DispatchSource.makeReadSource(fileDescriptor: listener, queue: queue)
        source.setCancelHandler { close(listener) }
        source.setEventHandler { [weak self] in self?.accept() }
        if !manner.refuses { source.activate() }
    }

    deinit {
        // It was never activated, and may not be freed like that.
        if manner.refuses { source.activate() }
    }

    private func accept() {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        _ = fcntl(connection, F_SETFL, O_NONBLOCK)
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let source = DispatchSource.makeReadSource(fileDescriptor: connection, queue: queue)
        let heard = Collected<Int>()
        source.setCancelHandler { close(connection) }
        source.setEventHandler { [self] in
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection, &bytes, bytes.count, 0)
            guard count != 0 else {
                hasSeenEnd.withLock { $0 = true }
                return source.cancel()
            }
            hasHeardSomething.withLock { $0 = true }
            switch manner {
            case .silent, .refuses: return
            case .closes: source.cancel()
            case .says(let answer): _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
            case .answers(let answers):
                if heard.count < answers.count {
                    let answer = answers[heard.count]
                    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                }
                heard.add(count)
            }
        }
        source.activate()
    }
}

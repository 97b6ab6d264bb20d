internal import Glibc
internal import Synchronization

/// The broker's end of a connection, played step by step by a test over a socketpair: for what a real broker won't do on
/// command.
///
/// It reads on a thread of its own, so that nothing blocks a test's executor, and every wait has a deadline.
public final class ScriptedPeer: Sendable {
    /// The other end, for `ConnectionConfiguration.connectedSocket`; -1 if the client has connected by itself.
    public let clientSocket: Int32

    /// How long each wait may take.
    public let patience: Duration

    private struct State {
        var bytes: [UInt8] = []
        var frames: [PeerFrame] = []
        var isAwaitingHeader = true
        var isEnded = false
        var isReading = true
        /// Counts what has come, so that nobody sleeps through it.
        var changes = 0
        var sendsSingleBytes = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextID: UInt64 = 0

        mutating func cutFrames() {
            guard !isAwaitingHeader else { return }
            let new = PeerFrame.cut(from: &bytes)
            frames += new
        }

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    let descriptor: Int32
    private let thread: PollThread
    private let state = Mutex(State())

    /// - Parameters:
    ///   - sendBuffer: The size of the buffer that the client writes into, in bytes, as the system rounds it.
    ///   - overTCP: Whether to be connected over TCP instead of a socketpair.
    public init(patience: Duration = .seconds(10), sendBuffer: Int32? = nil, overTCP: Bool = false) throws {
        var pair: [Int32] = [-1, -1]
        if overTCP {
            pair = try LoopbackPair.make()
        } else {
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw PeerError("no socketpair: errno \(errno)") }
        }
        if var size = sendBuffer {
            setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        _ = fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) | O_NONBLOCK)
        self.patience = patience
        clientSocket = pair[0]
        descriptor = pair[1]
        do {
            thread = try PollThread()
        } catch {
            for end in pair { close(end) }
            throw error
        }
        watch()
    }

    /// - Parameter accepted: A connection that a listener has accepted, which this closes.
    init(accepted: Int32, patience: Duration = .seconds(10)) throws {
        _ = fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) | O_NONBLOCK)
        var on: Int32 = 1
        setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        self.patience = patience
        clientSocket = -1
        descriptor = accepted
        do {
            thread = try PollThread()
        } catch {
            close(accepted)
            throw error
        }
        watch()
    }

    deinit {
        hangUp()
        thread.close(descriptor)
        thread.finish()
    }

    // MARK: Reading

    private func watch() { thread.watch(descriptor) { [weak self] in self?.readable() } }

    private func readable() {
        var isOver = false
        wake { state in
            // Under the lock, so that nothing is read any more once reading is paused.
            guard state.isReading else { return }
            var (count, code) = (0, Int32(0))
            state.bytes += [UInt8](unsafeUninitializedCapacity: 64 * 1024) { room, filled in
                count = recv(descriptor, room.baseAddress, room.count, 0)
                code = errno
                filled = max(0, count)
            }
            state.cutFrames()
            isOver = count == 0 || count < 0 && code != EINTR && code != EAGAIN
        }
        if isOver { end() }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiters = state.withLock { state in
            change(&state)
            state.changes += 1
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Stops reading: what the client writes fills its buffer.
    public func pauseReading() {
        state.withLock { $0.isReading = false }
        thread.ignore(descriptor)
    }

    public func resumeReading() {
        let isEnded = state.withLock { state in
            state.isReading = true
            return state.isEnded
        }
        if !isEnded { watch() }
    }

    // MARK: Waiting

    /// Waits for the eight bytes with which a client begins.
    public func expectProtocolHeader() async throws {
        let header = try await take("the protocol header") { state -> [UInt8]? in
            guard state.bytes.count >= 8 else { return nil }
            defer {
                state.bytes.removeFirst(8)
                state.isAwaitingHeader = false
                state.cutFrames()
            }
            return Array(state.bytes.prefix(8))
        }
        guard header == Array("AMQP".utf8) + [0, 0, 9, 1] else { throw PeerError("a wrong header: \(header)") }
    }

    /// Waits for the next frame of any kind.
    public func nextFrame(_ what: String = "a frame") async throws -> PeerFrame {
        try await take(what) { state in state.frames.isEmpty ? nil : state.frames.removeFirst() }
    }

    /// Waits until the client has closed its end.
    ///
    /// - Returns: The frames that came before.
    @discardableResult
    public func expectEnd() async throws -> [PeerFrame] {
        try await take("the end of the connection", atEnd: true) { state in
            defer { if state.isEnded { state.frames = [] } }
            return state.isEnded ? state.frames : nil
        }
    }

    /// The frames that have come and were not taken.
    public var pendingFrames: [PeerFrame] { state.withLock { $0.frames } }

    /// Whether the client has closed its end.
    public var isEnded: Bool { state.withLock { $0.isEnded } }

    private func take<T>(_ what: String, atEnd: Bool = false, _ body: (inout State) -> T?) async throws -> T {
        let deadline = ContinuousClock.now + patience
        while true {
            let (taken, isEnded, changes) = state.withLock { (body(&$0), $0.isEnded, $0.changes) }
            if let taken { return taken }
            if isEnded, !atEnd { throw PeerError("the client hung up before \(what)") }
            guard ContinuousClock.now < deadline else { throw PeerError("never came: \(what)") }
            try Task.checkCancellation()
            await change(after: changes, until: deadline)
        }
    }

    /// Waits until something has come, the time is up, or the task is cancelled.
    private func change(after changes: Int, until deadline: ContinuousClock.Instant) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let clock = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            resume(id)
        }
        defer { clock.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    let isEarly = ContinuousClock.now < deadline
                    guard state.changes == changes, isEarly, !Task.isCancelled else { return false }
                    state.waiters[id] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            resume(id)
        }
    }

    private func resume(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }

    // MARK: Sending

    /// Has each byte arrive alone: the next one is sent only when the client has read the last.
    public func sendSingleBytes(_ isOn: Bool = true) { state.withLock { $0.sendsSingleBytes = isOn } }

    public func send(_ bytes: [UInt8]) async throws {
        guard state.withLock({ $0.sendsSingleBytes }) else { return try await write(bytes[...]) }
        for index in bytes.indices {
            try await write(bytes[index...index])
            try await waitUntilRead()
        }
    }

    public func send(_ frames: PeerFrame...) async throws { try await send(frames) }

    public func send(_ frames: [PeerFrame]) async throws { try await send(frames.flatMap(\.bytes)) }

    public func send(
        _ method: PeerMethod,
        channel: UInt16 = 1,
        _ fields: (inout PeerWriter) -> Void = { _ in }
    ) async throws {
        try await send(.method(method, channel: channel, fields))
    }

    private func write(_ bytes: ArraySlice<UInt8>) async throws {
        var deadline = ContinuousClock.now + patience
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
                // On a busy machine it may be slow, as long as it reads.
                deadline = .now + patience
                continue
            }
            guard errno == EAGAIN || errno == EINTR else { throw PeerError("the client is gone: errno \(errno)") }
            guard ContinuousClock.now < deadline else { throw PeerError("the client reads nothing") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Waits until the client has read all that was sent.
    public func waitUntilRead() async throws {
        let deadline = ContinuousClock.now + patience
        var unread: Int32 = 1
        while true {
            guard ioctl(descriptor, UInt(TIOCOUTQ), &unread) == 0 else { throw PeerError("the socket is closed") }
            if unread == 0 { return }
            guard ContinuousClock.now < deadline else { throw PeerError("the client does not read") }
            await Task.yield()
        }
    }

    // MARK: The end

    /// Ends the connection at once, in both directions.
    public func hangUp() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        end()
    }

    /// Breaks a TCP connection at once (RST).
    public func reset() {
        LoopbackPair.reset(descriptor)
        end()
    }

    private func end() {
        thread.ignore(descriptor)
        wake { $0.isEnded = true }
    }
}

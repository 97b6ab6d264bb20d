internal import RabbitMQ
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Runs a ``Broker``: one thread waits for its sockets and for its clock; whoever tests changes it under the same lock.
final class BrokerServer: Sendable {
    struct State {
        var broker: Broker
        var clock: BrokerClock
        /// The sockets, by their connections' numbers.
        var sockets: [Int: CInt] = [:]
        /// When the next heartbeat is due, by the machine's clock.
        var heartbeats: [Int: ContinuousClock.Instant] = [:]
        /// When connections are given up that are not open yet, or no more, by the machine's clock.
        var limits: [Int: ContinuousClock.Instant] = [:]
        /// Connections that have been told their end, and are read until the client's.
        var finished: Set<Int> = []
        var refusesConnections = false
        /// When to look again whether connections can be accepted, if they could not.
        var acceptsAgain: ContinuousClock.Instant?
        var isStopped = false
    }

    let port: Int
    private let listener: CInt
    /// A byte written to the first ends the wait of the thread, which reads from the second.
    private let wakeUp: (ours: CInt, threads: CInt)
    private let state: Mutex<State>

    init(_ options: InProcessBroker.Options) throws(AMQPError) {
        var broker = Broker(options)
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        broker.startSeconds = UInt64(clamping: time.tv_sec)
        let (listener, port) = try ServerSocket.listen()
        do throws(AMQPError) {
            let (ours, threads) = try ServerSocket.pair()
            wakeUp = (ours, threads)
        } catch {
            ServerSocket.close(listener)
            throw error
        }
        self.listener = listener
        self.port = port
        state = Mutex(State(broker: broker, clock: BrokerClock(isRunning: options.clockRuns)))
        do throws(AMQPError) {
            try LibraryThread.start("rabbitmq.broker") { [self] in run() }
        } catch {
            for descriptor in [listener, wakeUp.ours, wakeUp.threads] { ServerSocket.close(descriptor) }
            throw error
        }
    }

    // MARK: Whoever tests

    /// Changes the broker, and has the thread send what comes of it.
    func update<R: Sendable>(_ body: @Sendable (inout State) -> R) -> R {
        state.withLock { state in
            state.broker.advance(to: state.clock.now)
            let result = body(&state)
            state.broker.advance(to: state.clock.now)
            if !state.isStopped { wake() }
            return result
        }
    }

    /// Looks at the broker as it is now.
    func look<R: Sendable>(_ body: @Sendable (Broker) -> R) -> R {
        state.withLock { state in
            state.broker.advance(to: state.clock.now)
            return body(state.broker)
        }
    }

    /// Ends the thread, and with it all connections. A second time does nothing.
    func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            wake()
        }
    }

    private func wake() {
        _ = withUnsafeBytes(of: UInt8(1)) { ServerSocket.write(wakeUp.ours, $0) }
    }

    // MARK: The thread

    private struct Watched {
        var connection: Int
        var poll: pollfd
    }

    private struct Wait {
        var watched: [Watched]
        var timeout: CInt
        var listens: Bool
    }

    private func run() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        while let wait = state.withLock({ state in prepare(&state) }) {
            var polled = [
                pollfd(fd: wakeUp.threads, events: Int16(POLLIN), revents: 0),
                // poll passes over a negative number.
                pollfd(fd: wait.listens ? listener : -1, events: Int16(POLLIN), revents: 0),
            ]
            polled += wait.watched.map(\.poll)
            guard poll(&polled, nfds_t(polled.count), wait.timeout) > 0 else { continue }
            if polled[0].revents != 0 { while case .bytes = ServerSocket.read(wakeUp.threads, into: buffer) {} }
            state.withLock { state in
                state.broker.advance(to: state.clock.now)
                if polled[1].revents != 0 { accept(&state) }
                for (index, entry) in wait.watched.enumerated() where polled[index + 2].revents & ~Int16(POLLOUT) != 0 {
                    read(entry.connection, &state, buffer)
                }
            }
        }
    }

    private func accept(_ state: inout State) {
        while true {
            switch ServerSocket.accept(from: listener) {
            case .connection(let descriptor) where state.refusesConnections: ServerSocket.reset(descriptor)
            case .connection(let descriptor): state.sockets[state.broker.connect()] = descriptor
            case .noneNow: return
            case .failed: return state.pauseAccepting(at: .now)
            }
        }
    }

    private func read(_ id: Int, _ state: inout State, _ buffer: UnsafeMutableRawBufferPointer) {
        guard let descriptor = state.sockets[id], state.broker.connections[id]?.isFrozen != true else { return }
        switch ServerSocket.read(descriptor, into: buffer) {
        case .bytes(let count):
            if !state.finished.contains(id) {
                state.broker.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]), from: id)
            }
        case .nothingNow: break
        case .ended: end(id, &state)
        }
    }

    private func end(_ id: Int, _ state: inout State, resets: Bool = false) {
        state.broker.disconnect(id)
        state.heartbeats[id] = nil
        state.limits[id] = nil
        state.finished.remove(id)
        guard let descriptor = state.sockets.removeValue(forKey: id) else { return }
        if resets { ServerSocket.reset(descriptor) } else { ServerSocket.close(descriptor) }
    }

    /// Writes what can be written, and says what to wait for.
    ///
    /// - Returns: nil once the broker is stopped, and everything closed.
    private func prepare(_ state: inout State) -> Wait? {
        if state.isStopped {
            for id in Array(state.sockets.keys) { end(id, &state) }
            for descriptor in [listener, wakeUp.ours, wakeUp.threads] { ServerSocket.close(descriptor) }
            return nil
        }
        state.broker.advance(to: state.clock.now)
        let now = ContinuousClock.now
        state.beat(at: now)
        for id in state.overdue(at: now) { end(id, &state) }
        let listens = state.acceptsConnections(at: now)
        for id in Array(state.sockets.keys) { write(id, &state) }
        let watched = state.sockets.compactMap { id, descriptor -> Watched? in
            guard let connection = state.broker.connections[id], !connection.isFrozen else { return nil }
            let waits = connection.written < connection.output.count && !state.finished.contains(id)
            let events = Int16(POLLIN) | (waits ? Int16(POLLOUT) : 0)
            return Watched(connection: id, poll: pollfd(fd: descriptor, events: events, revents: 0))
        }
        return Wait(watched: watched, timeout: state.timeout(at: now), listens: listens)
    }

    private func write(_ id: Int, _ state: inout State) {
        guard let descriptor = state.sockets[id] else { return }
        if state.broker.connections[id]?.end == .reset { return end(id, &state, resets: true) }
        guard state.broker.connections[id]?.isFrozen == false, !state.finished.contains(id) else { return }
        guard state.broker.connections[id]?.write(to: descriptor) == true else { return end(id, &state) }
        guard state.broker.connections[id]?.end != nil, state.broker.connections[id]?.output.isEmpty == true else {
            return
        }
        // Closed at once, the client could lose what was sent last.
        ServerSocket.finish(descriptor)
        state.finished.insert(id)
    }
}

extension BrokerServer.State {
    /// Has heartbeats sent that are due.
    mutating func beat(at now: ContinuousClock.Instant) {
        for (id, connection) in broker.connections where connection.heartbeat > 0 {
            // Nobody waits for them any more, and one that stays due would end each wait of the thread at once.
            guard connection.phase == .open, connection.end == nil else {
                heartbeats[id] = nil
                continue
            }
            if let due = heartbeats[id] {
                guard due <= now else { continue }
                if !connection.isFrozen { broker.connections[id]?.sendHeartbeat() }
            }
            heartbeats[id] = now + .seconds(connection.heartbeat) / 2
        }
    }

    /// How long a client may take to open its connection, and to say that it has seen its end.
    private static let patience = Duration.seconds(10)

    /// The connections whose clients have taken too long. Else one that never goes on would stay as long as the broker.
    mutating func overdue(at now: ContinuousClock.Instant) -> [Int] {
        for (id, connection) in broker.connections {
            // What a test has frozen stays so until it thaws it.
            if connection.phase == .open && connection.end == nil || connection.isFrozen {
                limits[id] = nil
            } else if limits[id] == nil {
                limits[id] = now + Self.patience
            }
        }
        return limits.filter { $0.value <= now }.map(\.key)
    }

    /// Leaves connections waiting for a moment: a listener that can't be accepted from stays readable, and would end
    /// each wait of the thread at once.
    mutating func pauseAccepting(at now: ContinuousClock.Instant) { acceptsAgain = now + .milliseconds(20) }

    /// Whether to look for connections now.
    mutating func acceptsConnections(at now: ContinuousClock.Instant) -> Bool {
        if let again = acceptsAgain, again > now { return false }
        acceptsAgain = nil
        return true
    }

    /// For how many milliseconds nothing happens by itself; -1 for ever.
    func timeout(at now: ContinuousClock.Instant) -> CInt {
        var waits = heartbeats.values.map { $0 - now } + limits.values.map { $0 - now }
        if let acceptsAgain { waits.append(acceptsAgain - now) }
        if clock.isRunning, let deadline = broker.deadline { waits.append(deadline - clock.now) }
        guard let wait = waits.min() else { return -1 }
        // A part of a millisecond more: woken too early, it would only wait again.
        return CInt(clamping: max(0, wait / .milliseconds(1)).rounded(.up).clampedToInt)
    }
}

extension ConnectionState {
    /// Writes as much of the output as the socket takes.
    ///
    /// - Returns: Whether the client is still there.
    mutating func write(to descriptor: CInt) -> Bool {
        while written < output.count {
            let count = output.withUnsafeBytes {
                ServerSocket.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            guard let count else { return false }
            if count == 0 { break }
            written += count
        }
        if written == output.count {
            output.removeAll(keepingCapacity: output.count < 1 << 20)
            written = 0
        } else if written > output.count / 2 {
            output.removeFirst(written)
            written = 0
        }
        return true
    }
}

extension Double {
    fileprivate var clampedToInt: Int { self < 1e9 ? Int(self) : 1_000_000_000 }
}

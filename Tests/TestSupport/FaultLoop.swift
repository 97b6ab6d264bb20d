internal import Glibc

/// What the thread of a ``FaultProxy`` does.
///
/// `@unchecked Sendable` is safe because it is handed to that thread when it is made, and nobody else keeps it.
final class FaultLoop: @unchecked Sendable {
    let listener: CInt
    let wakeUp: CInt
    private(set) var passed = 0
    private let target: SocketAddress
    private var pairs: [FaultPair] = []

    init(listener: CInt, wakeUp: CInt, target: SocketAddress) {
        self.listener = listener
        self.wakeUp = wakeUp
        self.target = target
    }

    /// Waits for something to do, and does it.
    ///
    /// - Parameter plan: Asked for each connection that comes.
    func step(plan: () -> FaultProxy.Plan) {
        var polled = [wakeUp, listener].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let now = ContinuousClock.now
        for pair in pairs { polled += pair.entries(now) }
        guard poll(&polled, nfds_t(polled.count), pairs.contains(where: \.hasLateBytes) ? 1 : -1) >= 0 else { return }
        if polled[0].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            _ = read(wakeUp, &bytes, bytes.count)
        }
        for (index, pair) in pairs.enumerated() {
            passed += pair.step(polled[2 + 2 * index].revents, polled[3 + 2 * index].revents)
        }
        pairs.removeAll(where: \.isOver)
        if polled[1].revents != 0 { accept(plan()) }
    }

    func endAll(_ ending: FaultProxy.Ending, _ frozen: FaultProxy.Direction) {
        for pair in pairs { pair.end(ending, frozen) }
        pairs.removeAll(where: \.isOver)
    }

    private func accept(_ plan: FaultProxy.Plan) {
        guard let (client, broker) = target.acceptedPair(on: listener) else { return }
        pairs.append(FaultPair(client: client, broker: broker, plan: plan))
    }
}

/// Both ends of one connection.
final class FaultPair {
    /// One direction.
    private struct Lane {
        let from: CInt
        let to: CInt
        var waiting: [(due: ContinuousClock.Instant, bytes: [UInt8])] = []
        var isFrozen = false
        /// When the next bytes may be passed, if there is a rate.
        var next = ContinuousClock.now
        var isEnded = false
    }

    private let plan: FaultProxy.Plan
    private var lanes: [Lane]
    private var left: Int
    private(set) var isOver = false

    init(client: CInt, broker: CInt, plan: FaultProxy.Plan) {
        self.plan = plan
        lanes = [Lane(from: client, to: broker), Lane(from: broker, to: client)]
        left = plan.bytes ?? .max
        if left == 0 { end(plan.ending, plan.frozen) }
    }

    /// Whether bytes wait that are not due, or not allowed yet.
    var hasLateBytes: Bool {
        (plan.delay > .zero || plan.rate != nil || plan.piece < 64)
            && lanes.contains { !$0.isFrozen && !$0.waiting.isEmpty }
    }

    /// What to wait for at the client's end, and at the broker's.
    func entries(_ now: ContinuousClock.Instant) -> [pollfd] {
        (0...1).map { index in
            let (reads, writes) = (lanes[index], lanes[1 - index])
            var events = reads.isFrozen || reads.isEnded || reads.waiting.count > 8 ? 0 : POLLIN
            if !writes.isFrozen, writes.waiting.first.map({ $0.due <= now && writes.next <= now }) == true {
                events |= POLLOUT
            }
            // What is frozen both ways is not even looked at: its end would be noticed without end.
            return pollfd(fd: events == 0 ? -1 : reads.from, events: Int16(events), revents: 0)
        }
    }

    /// - Returns: How many bytes were passed.
    func step(_ client: Int16, _ broker: Int16) -> Int {
        for (index, events) in [client, broker].enumerated() where events != 0 { receive(index) }
        return (isOver ? 0 : pass(0)) + (isOver ? 0 : pass(1))
    }

    private func receive(_ index: Int) {
        guard !lanes[index].isFrozen, !lanes[index].isEnded, !isOver, lanes[index].waiting.count <= 8 else { return }
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(lanes[index].from, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        if count > 0 {
            lanes[index].waiting.append((.now + plan.delay, Array(buffer[..<count])))
        } else if count == 0 {
            lanes[index].isEnded = true
        } else if errno != EAGAIN {
            end(.reset, .both)
        }
    }

    private func pass(_ index: Int) -> Int {
        let now = ContinuousClock.now
        var passed = 0
        while !isOver, !lanes[index].isFrozen, let first = lanes[index].waiting.first, first.due <= now,
            lanes[index].next <= now
        {
            var most = min(first.bytes.count, plan.piece, left)
            if let rate = plan.rate { most = min(most, max(1, rate / 100)) }
            let count = first.bytes.withUnsafeBytes {
                send(lanes[index].to, $0.baseAddress, most, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if errno != EAGAIN { end(.reset, .both) }
                return passed
            }
            passed += count
            left -= count
            lanes[index].waiting[0].bytes.removeFirst(count)
            if lanes[index].waiting[0].bytes.isEmpty { lanes[index].waiting.removeFirst() }
            if let rate = plan.rate { lanes[index].next = now + .microseconds(count * 1_000_000 / rate) }
            if left == 0 { end(plan.ending, plan.frozen) }
            // Alone, for whoever reads at once.
            if plan.piece < 64 { break }
        }
        // The end of one side is the end of both.
        if !isOver, lanes[index].isEnded, lanes[index].waiting.isEmpty, !lanes[index].isFrozen { end(.close, .both) }
        return passed
    }

    func end(_ ending: FaultProxy.Ending, _ frozen: FaultProxy.Direction) {
        guard !isOver else { return }
        if ending == .freeze {
            if frozen != .toClient { lanes[0].isFrozen = true }
            if frozen != .toBroker { lanes[1].isFrozen = true }
            left = .max
            return
        }
        isOver = true
        for descriptor in [lanes[0].from, lanes[1].from] {
            if ending == .reset {
                var hard = linger(l_onoff: 1, l_linger: 0)
                setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
            }
            close(descriptor)
        }
    }
}

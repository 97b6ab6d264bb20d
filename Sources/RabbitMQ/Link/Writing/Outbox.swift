internal import Synchronization

/// The way out of a connection. Any thread encodes whole frames into it; the queue of the link that uses it writes
/// them, or a thread that stands in for the queue.
///
/// Order of the locks: this one, then a channel's.
final class Outbox: Sendable {
    struct Limits: Sendable {
        /// Bytes waiting to be written from which on publishers are held back.
        var highWater: Int
        /// Bytes waiting to be written below which held-back publishers go on.
        var lowWater: Int
    }

    /// What was sent and received, of all links.
    struct Traffic {
        var published = 0
        /// Messages that were published before, and left unconfirmed by a session that has ended.
        var republished = 0
        var bytesSent = 0
        var bytesReceived = 0
    }

    struct State {
        var buffer = OutboundBuffer()
        let pool = Pool()
        let template = PublishTemplate()
        /// What is agreed on with the peer; before that, what we would like, so that a large token is sent. What the peer
        /// takes by then is its own setting.
        var frameMax = Self.firstFrameMax
        static let firstFrameMax = 131_072
        /// Bytes handed to the queue that the socket has not taken yet.
        var inFlight = 0
        /// Bytes handed to the queue since the beginning.
        var taken = 0
        /// How many answers stand in the buffer that the peer has made us give.
        var answers = 0
        var flushWaiters = FlushWaiters()
        var flush: FlushSchedule
        var heldBack = HeldBackPublishers()
        /// Why the broker takes no messages now (connection.blocked). Nobody else keeps it.
        var blockedReason: String?
        var settling: [any SettlementWriter] = []
        /// Whether a timer comes for what is settled.
        var hasSettlingTimer = false
        /// Why it takes nothing more, if so. ``Link/ended`` tells those who wait for the end, once all has ended.
        var ending: Ending?
        var traffic = Traffic()
        /// The number of the link that uses it.
        var sender: UInt32 = 0

        var pending: Int { buffer.byteCount + inFlight }

        /// Bytes of ``taken`` that the socket has taken.
        var written: Int { taken - inFlight }

        /// What waits to be written, with what was promised to publishers.
        var committed: Int { pending + heldBack.promised }

        /// Why nothing of a link may be sent, or nil.
        ///
        /// - Parameters:
        ///   - sender: The number of the link.
        ///   - isFarewell: Whether it belongs to the closing handshake.
        func refusal(to sender: UInt32, isFarewell: Bool = false) -> AMQPError? {
            if let ending, !isFarewell || ending.stage != .concluded { return ending.reason }
            if sender == self.sender { return nil }
            return AMQPError(.connectionLost, "the connection was lost, and made again since")
        }

        /// Writes the acknowledgements that were held back in order to be merged.
        mutating func writeSettlements() {
            guard !settling.isEmpty else { return }
            for writer in settling { writer.writeSettlements(to: buffer) }
            settling.removeAll(keepingCapacity: true)
        }

        /// Says who is to flush what was appended.
        @inline(__always)
        mutating func requestFlush(isUrgent: Bool) -> FlushSchedule.Flusher {
            flush.request(pending: buffer.byteCount, isUrgent: isUrgent) { MonotonicTime.now }
        }
    }

    let state: Mutex<State>
    let limits: Limits
    /// Has a flush begun by whoever it says.
    let scheduleFlush: @Sendable (FlushSchedule.Flusher) -> Void

    /// - Parameter scheduleFlush: Has ``exchange(_:after:most:)`` called, by whoever it says. Called without the lock.
    init(limits: Limits, scheduleFlush: @escaping @Sendable (FlushSchedule.Flusher) -> Void) {
        self.limits = limits
        state = Mutex(State(flush: FlushSchedule(lowWater: limits.lowWater)))
        self.scheduleFlush = scheduleFlush
    }

    /// The size of the largest frame, as agreed on with the peer.
    var frameMax: Int {
        get { state.withLock { $0.frameMax } }
        set { state.withLock { $0.frameMax = newValue } }
    }

    // MARK: Methods

    /// What becomes of a method that was encoded.
    enum Encoded {
        case keep
        /// It is taken back, and not sent.
        case rewind
    }

    /// Appends a method.
    ///
    /// - Parameters:
    ///   - sender: The number of the link whose method it is: see ``attach()``.
    ///   - settling: Whose held-back acknowledgements must go out before it.
    ///   - isFarewell: Whether it belongs to the closing handshake of the connection.
    ///   - register: Called under the lock once the method is encoded: what it registers is in the order of the wire.
    ///     Says whether it is sent; nothing is if it throws.
    func send(
        _ method: ClientMethod,
        channel: UInt16,
        from sender: UInt32,
        settling: (any SettlementWriter)? = nil,
        isFarewell: Bool = false,
        register: () throws(AMQPError) -> Encoded = { .keep }
    ) throws(AMQPError) {
        try method.validate()
        let flusher = try state.withLock { state throws(AMQPError) -> FlushSchedule.Flusher in
            if let refusal = state.refusal(to: sender, isFarewell: isFarewell) { throw refusal }
            settling?.writeSettlements(to: state.buffer)
            let (mark, noted) = (state.buffer.mark, state.buffer.log?.mark)
            var isKept = false
            defer {
                if !isKept {
                    state.buffer.rewind(to: mark)
                    // What is taken back was not sent.
                    if let noted { state.buffer.log?.rewind(to: noted) }
                }
            }
            try state.buffer.append(method, channel: channel, frameMax: state.frameMax, pool: state.pool)
            guard case .keep = try register() else { return .nobody }
            isKept = true
            return state.requestFlush(isUrgent: true)
        }
        scheduleFlush(flusher)
    }

    /// Appends something that is not a method of ``ClientMethod``: the protocol header, heartbeats, settlements.
    ///
    /// - Parameter sender: The number of the link whose it is: see ``attach()``.
    func append(from sender: UInt32, _ encode: (OutboundBuffer) throws(AMQPError) -> Void) throws(AMQPError) {
        scheduleFlush(try put(from: sender, encode))
    }

    /// The same, for the link that is at work.
    ///
    /// - Returns: Who is to flush it; if anybody, the link does.
    func put(
        from sender: UInt32,
        _ encode: (OutboundBuffer) throws(AMQPError) -> Void
    ) throws(AMQPError) -> FlushSchedule.Flusher {
        try state.withLock { state throws(AMQPError) in
            if let refusal = state.refusal(to: sender) { throw refusal }
            try encode(state.buffer)
            return state.requestFlush(isUrgent: true)
        }
    }

    /// How many answers may wait that the peer has made us give: 50 MB of channel.flow-ok, 80 MB of what is given back. A
    /// broker that is short of memory reads nothing from who publishes, and goes on delivering: that is not to reach it.
    static let mostAnswers = 4_000_000

    /// Counts an answer that the peer has made us give, before it is appended. It waits for no room, and a peer that asks on
    /// and on and takes nothing would have us fill the memory with them.
    ///
    /// - Throws: `connectionLost` if too many wait.
    func noteAnswer() throws(AMQPError) {
        let count = state.withLock { state in
            state.answers += 1
            return state.answers
        }
        guard count > Self.mostAnswers else { return }
        throw AMQPError(.connectionLost, "the peer asks for answers and takes none: \(Self.mostAnswers) of them wait")
    }

    /// How many bytes wait to be written.
    var pending: Int { state.withLock { $0.pending } }

    // MARK: The queue's side

    /// What a flush does next.
    enum NextFlush {
        case write(OutboundBuffer)
        /// Nothing for now; come again after so many nanoseconds.
        case cool(UInt64)
        /// There is more, which is left to the queue.
        case leave
        /// Nothing; whoever appends next schedules the next flush.
        case rest
    }

    /// Exchanges an emptied buffer for the filled one.
    ///
    /// - Parameters:
    ///   - emptied: To be filled next, if it is exchanged.
    ///   - count: How many bytes the flush that asks has written before.
    ///   - most: How many it writes at the most; more is left to the queue.
    func exchange(_ emptied: OutboundBuffer, after count: Int, most: Int = .max) -> NextFlush {
        let now = MonotonicTime.now
        return state.withLock { state in
            state.writeSettlements()
            let (pending, published) = (state.buffer.byteCount, state.traffic.published)
            switch state.flush.next(pending: pending, wrote: count, most: most, published: published, now: now) {
            case .flush:
                let filled = state.buffer
                state.buffer = emptied
                if let log = filled.log {
                    log.stamp(at: now)
                    emptied.log = log
                }
                state.inFlight = filled.unwrittenCount
                state.taken += state.inFlight
                state.answers = 0
                return .write(filled)
            case .cool: return .cool(state.flush.pause)
            case .leave: return .leave
            case .rest: return .rest
            }
        }
    }

    /// Has what waits written now, if a flush was put off.
    func expedite() {
        let flusher = state.withLock { state -> FlushSchedule.Flusher in
            state.buffer.isEmpty ? .nobody : state.requestFlush(isUrgent: true)
        }
        scheduleFlush(flusher)
    }

    /// Notes that something was received: so many bytes.
    ///
    /// - Returns: How many messages were published so far.
    func noteReceived(_ count: Int) -> Int {
        state.withLock { state in
            state.traffic.bytesReceived &+= count
            state.flush.noteReceived()
            return state.traffic.published
        }
    }

    /// Gives back memory that a busy time has left.
    func trim() { state.withLock { $0.buffer.trim() } }

    /// Counts out what the socket took.
    func wrote(_ count: Int) {
        let (hasRoom, flushed) = state.withLock { state in
            state.inFlight -= count
            state.traffic.bytesSent &+= count
            let flushed = state.flushWaiters.isEmpty ? [] : state.flushWaiters.take(upTo: state.written)
            return (!state.heldBack.isEmpty && state.committed <= limits.lowWater, flushed)
        }
        for waiter in flushed { waiter.succeed(()) }
        if hasRoom { admit() }
    }
}

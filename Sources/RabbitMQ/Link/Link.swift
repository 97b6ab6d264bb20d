internal import Logging
internal import Synchronization

/// One TCP connection on a DispatchQueue of its own, from connecting to its end.
///
/// What may be called from any thread is nonisolated. The rest runs on the queue, or on a thread that holds it
/// (``QueueExecutor/runIfIdle(_:)``).
actor Link {
    enum Phase {
        case idle
        case opening(Handshake, OneShot<ConnectionParameters>)
        case open
        /// We have sent connection.close and wait for close-ok.
        case closing
        /// From the beginning of the end on.
        case ended
    }

    nonisolated let base: LinkBase
    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let configuration: ConnectionConfiguration
    nonisolated let outbox: Outbox
    nonisolated let gauge: InboundGauge
    /// Why it has ended, for any thread: given behind the end of all that belongs to it, where ``phase`` is ended before.
    nonisolated let ended = Broadcast<AMQPError>()
    /// The last frames, if they are to be recorded: under the outbox's lock, and on the queue.
    nonisolated let sent: FrameLog?
    nonisolated let received: FrameLog?
    /// Whether anybody watches what is handled.
    nonisolated let isObserved: Bool
    /// Whether spans are made of it. Here, for to ask the configuration for what makes them copies that.
    nonisolated let isTraced: Bool
    private nonisolated let senderNumber = Atomic<UInt32>(0)
    /// Its number with the outbox, which takes nothing more from it once another link uses that.
    nonisolated var sender: UInt32 { senderNumber.load(ordering: .relaxed) }
    /// What outlives it.
    nonisolated var host: (any LinkHost)? { base.host }
    nonisolated let decoders: DecoderShelf
    nonisolated let chunks: ChunkShelf
    nonisolated let begunMessages: BegunMessages
    nonisolated let retries = Mutex(RetryMemories())
    /// Whether the broker counts what a channel's end returns towards queues' delivery limits, and a basic.nack not.
    nonisolated let nackSparesLimit = Atomic(false)
    /// Whether the broker cancels a consumer for what it keeps too long, where those before it close the channel.
    nonisolated let cancelsLateConsumers = Atomic(false)
    private struct Registration: Sendable {
        let number: UInt16
        let makeInbox: @Sendable (_ hasPredecessor: Bool) -> any ChannelInbox
    }

    /// Channels that the queue has not taken over yet.
    private nonisolated let registered = Mutex<[Registration]>([])
    nonisolated let numbers = Mutex(ChannelNumbers(max: 0))
    nonisolated var logger: Logger { configuration.logger }

    // What every frame changes is the queue's alone: its exclusivity need not be checked at run time.
    @exclusivity(unchecked) var inboxes = Inboxes()
    @exclusivity(unchecked) var reading = ReadState()
    @exclusivity(unchecked) var frames = FrameReader()
    @exclusivity(unchecked) var pace = ReadPace()
    /// A constant, whose use is not counted up and down with every method.
    let methods = MethodDecoder()
    var phase = Phase.idle
    var socket: Socket?
    var parameters: ConnectionParameters?
    let lateFrames = LateFrames()
    var updateSecretReplies: [OneShot<Void>] = []
    /// Whether publishers that were held back already wait for connection.unblocked, which is to be heard.
    var awaitsUnblocked = false

    /// Says when the socket can be read or written.
    var watch: SocketWatch?
    var interest = SocketInterest()

    /// Whether the poller's thread may read what comes next itself (``ReadingThread/poller``) instead of waking the queue:
    /// the last read brought little, and neither reading nor writing has anything left to do. It is read by the poller, and
    /// set on the queue. If it were always true, one busy connection would hold up all others, which share that thread; if
    /// never, a lone message would cost a change of threads (ping-pong 86.9 -> 96.8 us, `rmq perf ping-pong`).
    nonisolated let isQuiet = Atomic(false)
    /// Whether a read is put off for more to come: see ``putOffReading(after:)``. Set on the queue.
    nonisolated let readsSoon = Atomic(false)
    var pause = PauseReport()

    var writing = WriteState()
    /// What is being written.
    var flight = OutboundBuffer()

    var heartbeatTimer: UInt64?
    /// The timer that gives memory back, while there is some to give.
    var memoryTimer: UInt64?
    var closeDeadline: UInt64?

    /// - Parameter base: What it shares with the links before it and behind it.
    init(configuration: ConnectionConfiguration, base: LinkBase? = nil) {
        let base = base ?? LinkBase(configuration)
        self.configuration = configuration
        let recorded = configuration.recordedFrames
        sent = recorded > 0 ? FrameLog(limit: recorded) : nil
        received = recorded > 0 ? FrameLog(limit: recorded) : nil
        isTraced = configuration.tracing != nil
        isObserved = isTraced || configuration.meter != nil
        self.base = base
        (executor, outbox, gauge) = (base.executor, base.outbox, base.gauge)
        begunMessages = BegunMessages(limit: configuration.maxMessageSize)
        let reference = WeakLink()
        let noteSpare: @Sendable () -> Void = { reference.link?.onQueue { $0.giveBackLater() } }
        decoders = DecoderShelf(onFirst: noteSpare)
        chunks = ChunkShelf(onFirst: noteSpare)
        reference.link = self
    }

    /// Has `body` run on the queue, after what was given to it before.
    nonisolated func onQueue(_ body: @escaping @Sendable (isolated Link) -> Void) {
        executor.async { self.assumeIsolated(body) }
    }

    /// Begins to use what links share.
    func attach() {
        senderNumber.store(base.attach(self), ordering: .relaxed)
        outbox.state.withLock { $0.buffer.log = sent }
        flight.log = sent
    }

    /// Why it has ended; nil if it has not. On the queue, where ends begin: one that has begun by then is over.
    var endReason: AMQPError? { ended.current }

    /// Registers what receives a channel's frames. Frames that come in answer to what is sent after this call find it.
    ///
    /// - Parameter makeInbox: Is told whether the number was another channel's before, whose last frames may still come.
    nonisolated func register(
        _ number: UInt16,
        makeInbox: @escaping @Sendable (_ hasPredecessor: Bool) -> any ChannelInbox
    ) {
        registered.withLock { $0.append(Registration(number: number, makeInbox: makeInbox)) }
        // An answer may be read before this has its turn; then it is taken over as it is looked for.
        onQueue { $0.takeRegistered() }
    }

    /// Takes over what was registered.
    func takeRegistered() {
        let new = registered.withLock { registered in
            defer { registered = [] }
            return registered
        }
        for registration in new {
            let inbox = registration.makeInbox(inboxes.wasTaken(registration.number))
            if case .ended = phase, let error = ended.current {
                inbox.end(error)
            } else {
                inboxes.add(inbox, registration.number)
            }
        }
    }
}

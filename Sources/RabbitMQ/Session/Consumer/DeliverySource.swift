internal import Synchronization

/// Where deliveries come from and are settled. Keeps the channel open as long as one of them may be settled.
///
/// It belongs to one session: when that ends, none of its deliveries can be settled any more.
final class DeliverySource: Sendable {
    // What is read with each message or each run stands first, beside the count of uses: of hundreds of consumers nobody's
    // is in the processor's caches.

    /// Whether its messages may be a stream's, whose place is noted. Here, and not with what notes it: to count a use of that
    /// for each message would cost a tenth of an acknowledgement.
    private let hasProgress: Atomic<Bool>
    /// How many wait for its next delivery, so that an acknowledgement had better not wait for others. So it is for what was
    /// asked for one by one.
    let awaiting: Atomic<Int>
    let noAck: Bool
    /// What answers whether the queue is a stream, where that isn't known and matters.
    let question: StreamQuestion?
    let session: ChannelSession
    let lease: ChannelLease
    /// The name of the queue.
    let queue: String
    /// nil for messages that were asked for one by one.
    let consumerTag: String?
    private let isKnownStream: Bool
    /// The queue's type, nil if it isn't known; and the broker's version, nil if it is none of RabbitMQ's.
    let queueType: QueueType?
    let version: ServerVersion?
    /// Whether the queue was declared with a dead-letter exchange. A policy may give it one that isn't known here.
    let hasDeadLetterExchange: Bool
    /// How many messages were ready in the queue behind one that was asked for.
    let messagesLeft: Int?
    /// How far the consumer has come, if the queue is or may be a stream.
    let progress: StreamProgress?
    private let durations = LazyReference<DurationRecorder>()

    /// What takes how long handlers of its messages take; mostly nothing. Looked up by the first of them.
    var durationRecorder: DurationRecorder? {
        if let known = durations.load() { return known }
        guard let meter = session.link.configuration.meter else { return nil }
        return durations.storeIfNil(meter.processing(of: queue))
    }

    /// Whether the queue is a stream, which keeps its messages: it knows acknowledgements only. nil if that isn't known and
    /// matters.
    var isStream: Bool? { question.map(\.isStream) ?? isKnownStream }

    init(
        session: ChannelSession,
        lease: ChannelLease,
        queue: String,
        consumerTag: String?,
        noAck: Bool,
        isStream: Bool = false,
        question: StreamQuestion? = nil,
        queueType: QueueType? = nil,
        hasDeadLetterExchange: Bool = false,
        version: ServerVersion? = nil,
        messagesLeft: Int? = nil,
        progress: StreamProgress? = nil
    ) {
        self.session = session
        self.lease = lease
        self.queue = queue
        self.consumerTag = consumerTag
        self.noAck = noAck
        isKnownStream = isStream
        self.question = question
        self.queueType = queueType
        self.version = version
        self.hasDeadLetterExchange = hasDeadLetterExchange
        self.messagesLeft = messagesLeft
        self.progress = progress
        hasProgress = Atomic(progress?.isOther == false)
        awaiting = Atomic(consumerTag == nil ? 1 : 0)
    }

    @inline(__always)
    var mayBeStream: Bool { hasProgress.load(ordering: .relaxed) }

    /// Notes a message's place in the stream; or that it is none.
    @inline(never)
    func noteProgress(_ message: IncomingMessage) {
        progress?.delivered(message)
        if progress?.isOther != false { hasProgress.store(false, ordering: .relaxed) }
    }

    /// The same, with what came with the message that was asked for.
    func with(messagesLeft: Int) -> DeliverySource {
        DeliverySource(
            session: session,
            lease: lease,
            queue: queue,
            consumerTag: consumerTag,
            noAck: noAck,
            isStream: isKnownStream,
            question: question,
            queueType: queueType,
            hasDeadLetterExchange: hasDeadLetterExchange,
            version: version,
            messagesLeft: messagesLeft,
            progress: progress
        )
    }
}

internal import Synchronization

/// A task that handles a consumer's messages, one after the other: who waits until all are handled must not wait for the
/// message in whose handler it does so; nor for one whose handler has called that handler, as it does that goes over the
/// messages of another queue.
final class HandlingTask: Sendable {
    @TaskLocal static var innermost: HandlingTask?

    private let consumer: ObjectIdentifier
    /// Tells it from tasks that are begun in it, which take over its values: for these it is waited as for any other.
    private let task = HandlingTask.currentTask
    private let tag = Atomic<UInt64>(0)
    /// The tag's session, which the message keeps alive: another one may have a delivery with that tag too.
    private let session = Atomic<UInt>(0)
    /// The one that waits until this one has come to its end.
    private let outer: HandlingTask?

    /// - Parameter outer: In whose handler it runs.
    init(_ consumer: Consumer, within outer: HandlingTask?) {
        self.consumer = ObjectIdentifier(consumer)
        self.outer = outer
    }

    /// The current task, if it is one.
    static var current: HandlingTask? {
        guard let innermost, innermost.task == currentTask else { return nil }
        return innermost
    }

    private static var currentTask: Int? { withUnsafeCurrentTask { $0?.hashValue } }

    /// Says which message it handles from now on.
    @inline(__always)
    func begin(_ message: IncomingMessage) {
        session.store(Self.id(of: message.source.session), ordering: .relaxed)
        tag.store(message.deliveryTag, ordering: .relaxed)
    }

    @inline(__always)
    private static func id(of session: ChannelSession) -> UInt { UInt(bitPattern: ObjectIdentifier(session)) }

    /// Whether this is the message that it handles.
    func handles(_ message: IncomingMessage) -> Bool {
        tag.load(ordering: .relaxed) == message.deliveryTag
            && session.load(ordering: .relaxed) == Self.id(of: message.source.session)
    }

    /// Whether it handles messages of this consumer, or is called by what does.
    func handles(for consumer: Consumer) -> Bool {
        self.consumer == ObjectIdentifier(consumer) || outer?.handles(for: consumer) == true
    }

    /// The tags of this session's deliveries that it handles, or in whose handlers it runs.
    func deliveryTags(on session: ChannelSession) -> Set<UInt64> {
        var tags = outer?.deliveryTags(on: session) ?? []
        if self.session.load(ordering: .relaxed) == Self.id(of: session) { tags.insert(tag.load(ordering: .relaxed)) }
        return tags
    }
}

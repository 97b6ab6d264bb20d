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
    /// The one that waits until this one has come to its end.
    private let outer: HandlingTask?

    /// - Parameter outer: In whose handler it runs; if it is a child of that task, it is not known here.
    init(_ consumer: Consumer, within outer: HandlingTask? = HandlingTask.current) {
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
    func begin(_ message: borrowing IncomingMessage) { tag.store(message.deliveryTag, ordering: .relaxed) }

    /// Whether it handles messages of this consumer, or is called by what does.
    func handles(for consumer: Consumer) -> Bool { !deliveryTags(of: consumer).isEmpty }

    /// The tags of this consumer's messages that it handles, or in whose handlers it runs.
    func deliveryTags(of consumer: Consumer) -> [UInt64] {
        let id = ObjectIdentifier(consumer)
        let own = self.consumer == id ? [tag.load(ordering: .relaxed)] : []
        return own + (outer?.deliveryTags(of: consumer) ?? [])
    }
}

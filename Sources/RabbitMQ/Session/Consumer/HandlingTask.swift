internal import Synchronization

/// A task that handles a consumer's messages, one after the other: who waits until all are handled must not wait for the
/// message in whose handler it does so.
final class HandlingTask: Sendable {
    @TaskLocal static var innermost: HandlingTask?

    private let consumer: ObjectIdentifier
    /// Tells it from tasks that are begun in it, which take over its values: for these it is waited as for any other.
    private let task = HandlingTask.currentTask
    private let tag = Atomic<UInt64>(0)

    init(_ consumer: Consumer) { self.consumer = ObjectIdentifier(consumer) }

    /// The current task, if it is one.
    static var current: HandlingTask? {
        guard let innermost, innermost.task == currentTask else { return nil }
        return innermost
    }

    private static var currentTask: Int? { withUnsafeCurrentTask { $0?.hashValue } }

    /// Says which message it handles from now on.
    @inline(__always)
    func begin(_ message: borrowing IncomingMessage) { tag.store(message.deliveryTag, ordering: .relaxed) }

    /// The tag of the message that it handles.
    var deliveryTag: UInt64 { tag.load(ordering: .relaxed) }

    /// Whether it handles messages of this consumer.
    func handles(for consumer: Consumer) -> Bool { self.consumer == ObjectIdentifier(consumer) }
}

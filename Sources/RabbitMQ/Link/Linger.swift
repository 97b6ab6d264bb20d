internal import CRabbitMQ
internal import Glibc
internal import Synchronization

/// Waiting for a socket on the link's queue itself, for a moment, when an answer is due: Dispatch's own way from a socket
/// that becomes readable to the queue wakes two threads, this one.
///
/// A block that is given to the queue meanwhile ends the waiting. The queue's timers may be late by ``patience``.
final class Linger: Sendable {
    enum Outcome {
        case readable
        /// Something else is to be done, or nothing came.
        case inVain
    }

    /// For how long to wait, in milliseconds.
    private static let patience: CInt = 1
    /// So many links wait at a time: each keeps a thread.
    private static let most = 8
    private static let lingering = Atomic<Int>(0)

    /// Blocks given to the queue that have not begun.
    private let blocks = Atomic<Int>(0)
    private let isWaiting = Atomic<Bool>(false)
    /// An eventfd; -1 before it is needed.
    private let event = Atomic<CInt>(-1)

    deinit {
        let event = event.load(ordering: .relaxed)
        if event >= 0 { close(event) }
    }

    /// Says that a block is about to be given to the queue.
    func blockAdded() {
        blocks.add(1, ordering: .sequentiallyConsistent)
        if isWaiting.load(ordering: .sequentiallyConsistent) { eventfd_write(event.load(ordering: .acquiring), 1) }
    }

    /// Says that a block has begun.
    func blockBegan() { blocks.subtract(1, ordering: .relaxed) }

    /// Waits. Called on the queue.
    func wait(for socket: CInt) -> Outcome {
        defer { Self.lingering.subtract(1, ordering: .relaxed) }
        guard Self.lingering.add(1, ordering: .relaxed).newValue <= Self.most, let event = openEvent() else {
            return .inVain
        }
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        defer { isWaiting.store(false, ordering: .relaxed) }
        guard blocks.load(ordering: .sequentiallyConsistent) == 0 else { return .inVain }
        var descriptors = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0), pollfd(fd: event, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&descriptors, 2, Self.patience) > 0 else { return .inVain }
        if descriptors[1].revents != 0 {
            var count: eventfd_t = 0
            eventfd_read(event, &count)
            return .inVain
        }
        return .readable
    }

    private func openEvent() -> CInt? {
        var descriptor = event.load(ordering: .relaxed)
        if descriptor < 0 {
            descriptor = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
            event.store(descriptor, ordering: .releasing)
        }
        return descriptor < 0 ? nil : descriptor
    }
}

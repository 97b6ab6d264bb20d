internal import Synchronization

/// Chunks for copies of what a link received, while nobody uses them.
///
/// Hundreds of consumers fill and empty thousands of chunks a second, each on two threads, which the system's allocator
/// does dearly; keeping one's own would take memory for each consumer, also for those that rest.
final class ChunkShelf: Sendable {
    private struct State {
        /// By size: those of ``smallest`` bytes, those of twice as many, and so on.
        var idle: [[ReceiveChunk]] = Array(repeating: [], count: ChunkShelf.sizes)
        var byteCount = 0
        /// Whether it was said that chunks lie here since they were given back.
        var isNoted = false
    }

    private let state = Mutex(State())
    private let onFirst: @Sendable () -> Void

    private static let smallest = 2048
    /// Up to 64 KiB.
    private static let sizes = 6
    /// What is kept at the most: as much as the default limit of what waits for consumers, twice.
    private static let mostKept = 8 << 20

    /// - Parameter onFirst: Called when the first chunk is kept since all were given back, from any thread.
    init(onFirst: @escaping @Sendable () -> Void = {}) { self.onFirst = onFirst }

    /// A chunk of at least so many bytes.
    func take(_ count: Int) -> ReceiveChunk {
        let size = Self.size(for: count)
        guard size < Self.sizes else { return ReceiveChunk(capacity: count) }
        let kept = state.withLock { state -> ReceiveChunk? in
            guard let chunk = state.idle[size].popLast() else { return nil }
            state.byteCount -= chunk.capacity
            return chunk
        }
        return kept ?? ReceiveChunk(capacity: Self.smallest << size)
    }

    /// Keeps a chunk that came from ``take(_:)`` and that nobody uses any more.
    func put(_ chunk: ReceiveChunk) {
        let size = Self.size(for: chunk.capacity)
        guard size < Self.sizes else { return }
        let isFirst = state.withLock { state in
            guard state.byteCount + chunk.capacity <= Self.mostKept else { return false }
            state.byteCount += chunk.capacity
            state.idle[size].append(chunk)
            defer { state.isNoted = true }
            return !state.isNoted
        }
        if isFirst { onFirst() }
    }

    /// Gives back the memory that a busy time has left.
    func trim() {
        // Freed outside of the lock.
        let left = state.withLock { state in
            defer { state = State() }
            return state.idle
        }
        withExtendedLifetime(left) {}
    }

    /// How many bytes lie here.
    var byteCount: Int { state.withLock { $0.byteCount } }

    private static func size(for count: Int) -> Int {
        count <= smallest ? 0 : Int.bitWidth - ((count - 1) / smallest).leadingZeroBitCount
    }
}

internal import Synchronization

/// Where a link keeps what nobody uses at present, to be used again, in one or several sizes. What was put down last is taken
/// first: its memory is in the processor's cache.
final class Shelf<Item: Sendable>: Sendable {
    private struct State {
        /// By size.
        var idle: [[Item]]
        /// What lies here takes so much of ``mostKept``.
        var weight = 0
        /// Whether it was said that something lies here since all was given back.
        var isNoted = false

        init(sizes: Int) { idle = Array(repeating: [], count: sizes) }
    }

    private let state: Mutex<State>
    private let sizes: Int
    private let mostKept: Int
    private let onFirst: @Sendable () -> Void

    /// - Parameters:
    ///   - sizes: How many sizes there are.
    ///   - mostKept: How much is kept at the most, as ``put(_:size:weighing:)`` weighs it.
    ///   - onFirst: Called when the first item is kept since all were given back, from any thread.
    private init(sizes: Int, mostKept: Int, onFirst: @escaping @Sendable () -> Void) {
        state = Mutex(State(sizes: sizes))
        self.sizes = sizes
        self.mostKept = mostKept
        self.onFirst = onFirst
    }

    private func take(size: Int, weighing weight: Int) -> Item? {
        state.withLock { state in
            guard let item = state.idle[size].popLast() else { return nil }
            state.weight -= weight
            return item
        }
    }

    private func put(_ item: Item, size: Int, weighing weight: Int) {
        let isFirst = state.withLock { state in
            guard state.weight + weight <= mostKept else { return false }
            state.weight += weight
            state.idle[size].append(item)
            defer { state.isNoted = true }
            return !state.isNoted
        }
        if isFirst { onFirst() }
    }

    /// Gives back the memory that a busy time has left.
    func trim() {
        // Freed outside of the lock: freeing thousands of items takes long, and who takes one would wait for it.
        let left = state.withLock { state in
            defer { state = State(sizes: sizes) }
            return state.idle
        }
        withExtendedLifetime(left) {}
    }

    private var weight: Int { state.withLock { $0.weight } }
}

/// Chunks for copies of what a link received.
///
/// Hundreds of consumers fill and empty thousands of chunks a second, each on two threads. The system's allocator is slow at
/// that, and a chunk of its own for each consumer would take memory for those that get nothing too.
typealias ChunkShelf = Shelf<ReceiveChunk>

extension Shelf where Item == ReceiveChunk {
    private static var smallest: Int { 2048 }
    /// Each twice as large as the one before: up to 64 KiB.
    private static var sizes: Int { 6 }

    /// At most 8 MiB: twice as much as waits for consumers by default.
    convenience init(onFirst: @escaping @Sendable () -> Void = {}) {
        self.init(sizes: Self.sizes, mostKept: 8 << 20, onFirst: onFirst)
    }

    /// A chunk of at least so many bytes.
    func take(_ count: Int) -> ReceiveChunk {
        let size = Self.size(for: count)
        guard size < Self.sizes else { return ReceiveChunk(capacity: count) }
        let capacity = Self.smallest << size
        return take(size: size, weighing: capacity) ?? ReceiveChunk(capacity: capacity)
    }

    /// Keeps a chunk that came from ``take(_:)`` and that nobody uses any more.
    func put(_ chunk: ReceiveChunk) {
        let size = Self.size(for: chunk.capacity)
        guard size < Self.sizes else { return }
        put(chunk, size: size, weighing: chunk.capacity)
    }

    /// How many bytes lie here.
    var byteCount: Int { weight }

    private static func size(for count: Int) -> Int {
        count <= smallest ? 0 : Int.bitWidth - ((count - 1) / smallest).leadingZeroBitCount
    }
}

/// The decoders of a link's consumers, while none of them decodes.
///
/// One for each of hundreds of consumers would be in no processor's cache when it is needed.
typealias DecoderShelf = Shelf<DeliveryDecoder>

extension Shelf where Item == DeliveryDecoder {
    /// At most 256: a consumer has one while it is busy with what came together.
    convenience init(onFirst: @escaping @Sendable () -> Void = {}) {
        self.init(sizes: 1, mostKept: 256, onFirst: onFirst)
    }

    func take() -> DeliveryDecoder { take(size: 0, weighing: 1) ?? DeliveryDecoder() }

    func put(_ decoder: DeliveryDecoder) { put(decoder, size: 0, weighing: 1) }

    /// How many lie here.
    var count: Int { weight }
}

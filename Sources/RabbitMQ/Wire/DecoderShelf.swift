internal import Synchronization

/// The decoders of a link's consumers, while none of them decodes.
///
/// What was put down last is taken first: its memory is at the processor's hand, where that of hundreds of consumers, each
/// with a decoder of its own, is not.
final class DecoderShelf: Sendable {
    private struct State {
        var idle: [DeliveryDecoder] = []
        /// Whether it was said that decoders lie here since they were given back.
        var isNoted = false
    }

    private let state = Mutex(State())
    private let onFirst: @Sendable () -> Void

    /// A consumer has one while it is busy with what came together.
    private static let mostKept = 256

    /// - Parameter onFirst: Called when the first decoder is kept since all were given back, from any thread.
    init(onFirst: @escaping @Sendable () -> Void = {}) { self.onFirst = onFirst }

    /// How many lie here.
    var count: Int { state.withLock { $0.idle.count } }

    func take() -> DeliveryDecoder { state.withLock { $0.idle.popLast() } ?? DeliveryDecoder() }

    func put(_ decoder: DeliveryDecoder) {
        let isFirst = state.withLock { state in
            guard state.idle.count < Self.mostKept else { return false }
            state.idle.append(decoder)
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
}

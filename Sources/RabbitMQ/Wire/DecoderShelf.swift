internal import Synchronization

/// The decoders of a link's consumers, while none of them decodes.
///
/// What was put down last is taken first: its memory is at the processor's hand, where that of hundreds of consumers, each
/// with a decoder of its own, is not.
final class DecoderShelf: Sendable {
    private let idle = Mutex<[DeliveryDecoder]>([])

    /// A consumer has one while it is busy with what came together.
    private static let mostKept = 256

    func take() -> DeliveryDecoder { idle.withLock { $0.popLast() } ?? DeliveryDecoder() }

    func put(_ decoder: DeliveryDecoder) {
        idle.withLock { idle in
            if idle.count < Self.mostKept { idle.append(decoder) }
        }
    }

    /// Gives back the memory that a busy time has left.
    func trim() {
        // Freed outside of the lock.
        let left = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        withExtendedLifetime(left) {}
    }
}

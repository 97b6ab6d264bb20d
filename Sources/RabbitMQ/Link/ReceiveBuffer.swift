/// The bytes received that are not whole frames yet. Grows as far as a few of the largest frames need.
final class ReceiveBuffer {
    private var block: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var end = 0

    private static let firstCapacity = 16 * 1024
    private static let mostCapacity = 256 * 1024
    /// What is read at once: so many messages stay in the processor's cache until they are consumed.
    private static let mostRead = 64 * 1024

    init() {
        capacity = Self.firstCapacity
        block = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { block.deallocate() }

    /// What was received and not yet consumed.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: block + start, count: end - start) }

    /// Where to receive to. Never empty while whole frames are consumed.
    func room() -> UnsafeMutableRawBufferPointer {
        if start == end {
            start = 0
            end = 0
        } else if capacity - end < capacity / 4 {
            block.copyMemory(from: block + start, byteCount: end - start)
            end -= start
            start = 0
        }
        if end > capacity / 2, capacity < Self.mostCapacity { grow() }
        return UnsafeMutableRawBufferPointer(start: block + end, count: min(capacity - end, Self.mostRead))
    }

    private func grow() {
        capacity = Self.mostCapacity
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: block + start, byteCount: end - start)
        end -= start
        start = 0
        block.deallocate()
        block = larger
    }

    func received(_ count: Int) { end += count }

    func consume(_ count: Int) { start += count }
}

/// Encoded frames in the order of the wire: one growing block of bytes, into which large message bodies are spliced
/// without being copied.
///
/// `@unchecked Sendable` is safe because a buffer has one owner at a time: the outbox fills it under its lock, then
/// hands it to the link's queue in exchange for one that is written out.
final class OutboundBuffer: @unchecked Sendable {
    /// A part of a message body that belongs before the byte at `offset` of the block.
    private struct Splice {
        var offset: Int
        var body: [UInt8]
        var range: Range<Int>
    }

    private var block: UnsafeMutableRawPointer
    private var capacity: Int
    private var filled = 0
    private var splices: [Splice] = []
    private var splicedBytes = 0

    private var written = 0
    private var writtenSplices = 0
    private var writtenBytes = 0

    /// What an emptied buffer keeps at most: a little over 1 MiB, as publishers fill it by default, makes 2 MiB.
    private static let keptCapacity = 2 << 20
    private static let firstCapacity = 4096

    init(capacity: Int = firstCapacity) {
        self.capacity = capacity
        block = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { block.deallocate() }

    /// All bytes put in, written or not.
    var byteCount: Int { filled + splicedBytes }

    var isEmpty: Bool { byteCount == 0 }

    /// What is still to be written.
    var unwrittenCount: Int { byteCount - writtenBytes }

    // MARK: Filling

    /// The end of the block, with room for `count` bytes behind it. Valid until the next call.
    @inline(__always)
    func room(for count: Int) -> UnsafeMutableRawPointer {
        if capacity - filled < count { grow(by: count) }
        return block + filled
    }

    private func grow(by count: Int) {
        capacity = max(capacity * 2, filled + count)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: block, byteCount: filled)
        block.deallocate()
        block = larger
    }

    /// Counts bytes in that were written where ``room(for:)`` said.
    @inline(__always)
    func advance(_ count: Int) { filled += count }

    func splice(_ body: [UInt8], _ range: Range<Int>) {
        splices.append(Splice(offset: filled, body: body, range: range))
        splicedBytes += range.count
    }

    /// A place to return to when the rest of a message can't be encoded.
    var mark: (Int, Int) { (filled, splices.count) }

    func rewind(to mark: (Int, Int)) {
        filled = mark.0
        while splices.count > mark.1 {
            splicedBytes -= splices.removeLast().range.count
        }
    }

    // MARK: Writing out

    /// Gives the next bytes to write, in two pieces of which either may be empty, until `write` takes less than all.
    ///
    /// - Parameter write: Writes the pieces, first `head`, then `body`, and returns how many bytes it wrote.
    /// - Returns: Whether everything is written.
    func drain(
        _ write: (_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) throws(AMQPError) -> Int
    ) throws(AMQPError) -> Bool {
        while true {
            let splice = writtenSplices < splices.count ? splices[writtenSplices] : nil
            let head = UnsafeRawBufferPointer(start: block + written, count: (splice?.offset ?? filled) - written)
            let total = head.count + (splice?.range.count ?? 0)
            guard total > 0 else { return true }
            var count: Int
            if let splice {
                let result = splice.body.withUnsafeBytes { bytes -> Result<Int, AMQPError> in
                    do throws(AMQPError) {
                        return .success(try write(head, UnsafeRawBufferPointer(rebasing: bytes[splice.range])))
                    } catch {
                        return .failure(error)
                    }
                }
                count = try result.get()
            } else {
                count = try write(head, UnsafeRawBufferPointer(start: nil, count: 0))
            }
            let complete = count == total
            writtenBytes += count
            let ofHead = min(count, head.count)
            written += ofHead
            count -= ofHead
            if splice != nil {
                splices[writtenSplices].range.removeFirst(count)
                if splices[writtenSplices].range.isEmpty, written == splice?.offset {
                    splices[writtenSplices].body = []
                    writtenSplices += 1
                }
            }
            guard complete else { return false }
        }
    }

    /// Forgets everything.
    func clear() {
        filled = 0
        written = 0
        writtenSplices = 0
        writtenBytes = 0
        splicedBytes = 0
        splices.removeAll(keepingCapacity: splices.count < 64)
        if capacity > Self.keptCapacity { trim() }
    }

    /// Gives back the memory that it holds empty.
    func trim() {
        guard isEmpty, capacity > Self.firstCapacity else { return }
        capacity = Self.firstCapacity
        block.deallocate()
        block = .allocate(byteCount: capacity, alignment: 16)
    }
}

extension Range<Int> {
    fileprivate mutating func removeFirst(_ count: Int) {
        self = (lowerBound + Swift.min(count, self.count))..<upperBound
    }
}

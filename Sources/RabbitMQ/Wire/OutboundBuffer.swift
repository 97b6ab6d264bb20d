#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

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

    /// Whether a password or token is encoded here. The block is used as long as the connection lives, and so is wiped once
    /// that was written: else a dump of the memory would show it.
    private var holdsSecret = false

    /// Messages in a row on one channel that the log has not been told of.
    private struct MessageRun {
        var channel: UInt16 = 0
        var count = 0
        /// Where the first of them begins: as ``byteCount`` was.
        var start = 0
    }

    private var recorder: FrameLog?
    private var run = MessageRun()

    /// Where frames are noted that are appended; nil if none are. Whoever asks for it finds there all that was appended.
    var log: FrameLog? {
        get {
            noteRun()
            return recorder
        }
        set {
            recorder = newValue
            run = MessageRun()
        }
    }

    private var written = 0
    private var writtenSplices = 0
    private var writtenBytes = 0

    /// What an emptied buffer keeps at most: a little over 2 MiB, as publishers fill it by default, makes 4 MiB.
    private static let keptCapacity = 4 << 20
    private static let firstCapacity = 4096
    /// What is written at once: 2 MiB of bodies in frames of 128 KiB.
    private static let mostPieces = 33

    init(capacity: Int = firstCapacity) {
        self.capacity = capacity
        block = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        wipeSecret()
        block.deallocate()
    }

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

    /// How much room there is without growing.
    var spareRoom: Int { capacity - filled }

    private func grow(by count: Int) {
        let size = max(capacity * 2, filled + count)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        larger.copyMemory(from: block, byteCount: filled)
        if holdsSecret { explicit_bzero(block, capacity) }
        block.deallocate()
        (block, capacity) = (larger, size)
    }

    /// Says that what is appended next holds a password or a token.
    func noteSecret() { holdsSecret = true }

    private func wipeSecret() {
        guard holdsSecret else { return }
        // All of it: what was encoded in vain lies behind the end.
        explicit_bzero(block, capacity)
        holdsSecret = false
    }

    /// Counts bytes in that were written where ``room(for:)`` said.
    @inline(__always)
    func advance(_ count: Int) { filled += count }

    func splice(_ body: [UInt8], _ range: Range<Int>) {
        splices.append(Splice(offset: filled, body: body, range: range))
        splicedBytes += range.count
    }

    /// A place to return to when the rest of a message can't be encoded.
    ///
    /// The splices are told by their bytes: to ask the array for its count is a checked access, and one for each publish
    /// makes it 7 % dearer.
    var mark: (Int, Int) { (filled, splicedBytes) }

    func rewind(to mark: (Int, Int)) {
        filled = mark.0
        while splicedBytes > mark.1 {
            splicedBytes -= splices.removeLast().range.count
        }
    }

    /// Takes back the message that was appended last.
    ///
    /// - Parameter mark: Where it begins.
    func takeBackMessage(to mark: (Int, Int)) {
        rewind(to: mark)
        // It is the last of those that the log has not been told of.
        if recorder != nil { run.count &-= 1 }
    }

    // MARK: Recording

    /// Notes a message, if frames are noted: together with those behind it, for to reach the log by itself, which counts
    /// a use of it, would take a tenth of what a publish does.
    ///
    /// - Parameter start: Where it begins: as ``byteCount`` was.
    @inline(__always)
    func noteMessage(_ channel: UInt16, from start: Int) {
        guard recorder != nil else { return }
        if run.count == 0 || run.channel != channel { beginRun(channel, start) }
        run.count &+= 1
    }

    @inline(never)
    private func beginRun(_ channel: UInt16, _ start: Int) {
        noteRun(upTo: start)
        run = MessageRun(channel: channel, start: start)
    }

    /// Tells the log of the messages up to here, before something else is appended.
    @inline(__always)
    func noteRun() { if run.count > 0 { noteRun(upTo: byteCount) } }

    @inline(never)
    private func noteRun(upTo end: Int) {
        guard run.count > 0 else { return }
        recorder?.note(FrameLog.publish, run.channel, bytes: end - run.start, count: run.count)
        run.count = 0
    }

    // MARK: Writing out

    /// Gives the next bytes to write, in pieces one behind the other, until `write` takes less than all.
    ///
    /// - Parameter write: Writes the pieces, and returns how many bytes it wrote.
    /// - Returns: Whether everything is written.
    func drain(
        _ write: (_ pieces: UnsafeBufferPointer<iovec>) throws(AMQPError) -> Int
    ) throws(AMQPError) -> Bool {
        while unwrittenCount > 0 {
            let (offered, result) = withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.mostPieces) {
                var pieces = Pieces($0)
                let result = gather(&pieces, from: written, splice: writtenSplices, write)
                return (pieces.byteCount, result)
            }
            let count = try result.get()
            countOut(count)
            guard count == offered else { return false }
        }
        return true
    }

    /// Adds what is to be written from the byte at `offset` of the block and the splice with this number on, as much as
    /// there is room for, and writes it.
    private func gather(
        _ pieces: inout Pieces,
        from offset: Int,
        splice index: Int,
        _ write: (UnsafeBufferPointer<iovec>) throws(AMQPError) -> Int
    ) -> Result<Int, AMQPError> {
        let splice = index < splices.count ? splices[index] : nil
        if splice == nil || pieces.hasRoom {
            pieces.add(UnsafeRawBufferPointer(start: block + offset, count: (splice?.offset ?? filled) - offset))
        }
        guard let splice, pieces.hasRoom else {
            do throws(AMQPError) {
                return .success(try write(pieces.all))
            } catch {
                return .failure(error)
            }
        }
        // One within the other: each body stays where it is until all are written.
        return splice.body.withUnsafeBytes { bytes in
            pieces.add(UnsafeRawBufferPointer(rebasing: bytes[splice.range]))
            return gather(&pieces, from: splice.offset, splice: index + 1, write)
        }
    }

    private func countOut(_ count: Int) {
        writtenBytes += count
        var rest = count
        while writtenSplices < splices.count, rest > 0 {
            let splice = splices[writtenSplices]
            let ofBlock = min(rest, splice.offset - written)
            let ofBody = min(rest - ofBlock, splice.range.count)
            written += ofBlock
            rest -= ofBlock + ofBody
            guard ofBody == splice.range.count, written == splice.offset else {
                splices[writtenSplices].range.removeFirst(ofBody)
                return
            }
            splices[writtenSplices].body = []
            writtenSplices += 1
        }
        written += rest
    }

    /// Forgets everything.
    func clear() {
        wipeSecret()
        filled = 0
        // What the log has not been told of is gone: its beginning would lie behind the end.
        run.count = 0
        written = 0
        writtenSplices = 0
        writtenBytes = 0
        splicedBytes = 0
        splices.removeAll(keepingCapacity: splices.count < 64)
        if capacity > Self.keptCapacity { trim() }
    }

    /// Whether it holds memory that it may give back.
    var hasSpareMemory: Bool { isEmpty && capacity > Self.firstCapacity }

    /// Gives back the memory that it holds empty.
    func trim() {
        guard hasSpareMemory else { return }
        wipeSecret()
        capacity = Self.firstCapacity
        block.deallocate()
        block = .allocate(byteCount: capacity, alignment: 16)
    }
}

/// Places in memory, to be written one behind the other.
private struct Pieces {
    private let room: UnsafeMutableBufferPointer<iovec>
    private var count = 0
    private(set) var byteCount = 0

    init(_ room: UnsafeMutableBufferPointer<iovec>) { self.room = room }

    /// Whether two more fit.
    var hasRoom: Bool { count + 2 <= room.count }

    var all: UnsafeBufferPointer<iovec> { UnsafeBufferPointer(rebasing: room[..<count]) }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        room.initializeElement(
            at: count,
            to: iovec(iov_base: UnsafeMutableRawPointer(mutating: base), iov_len: bytes.count)
        )
        count += 1
        byteCount += bytes.count
    }
}

extension Range<Int> {
    fileprivate mutating func removeFirst(_ count: Int) {
        self = (lowerBound + Swift.min(count, self.count))..<upperBound
    }
}

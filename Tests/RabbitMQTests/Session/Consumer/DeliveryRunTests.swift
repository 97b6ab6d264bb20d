import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("runs of deliveries")
struct DeliveryRunTests {
    private let source = DeliverySource.unconnected(noAck: true)
    private let decoder = DeliveryDecoder()

    /// Deliveries as they are received, and where each lies.
    private func chunk(_ tags: Range<Int>, size: Int = 10) -> (chunk: ReceiveChunk, frames: [Range<Int>]) {
        var bytes: [UInt8] = []
        var frames: [Range<Int>] = []
        for tag in tags {
            let start = bytes.count
            for frame in PeerFrame.delivery(
                [UInt8](repeating: UInt8(tag), count: size),
                tag: UInt64(tag),
                consumer: "c"
            ) {
                bytes += frame.bytes
            }
            frames.append(start..<bytes.count)
        }
        let chunk = ReceiveChunk(capacity: max(1, bytes.count))
        UnsafeMutableRawBufferPointer(start: chunk.base, count: chunk.capacity).copyBytes(from: bytes)
        return (chunk, frames)
    }

    private func run(_ tags: Range<Int>, size: Int = 10) -> DeliveryRun {
        let run = DeliveryRun(chunks: ChunkShelf())
        run.begin(source)
        append(tags, size: size, to: run)
        return run
    }

    private func append(_ tags: Range<Int>, size: Int = 10, to run: DeliveryRun) {
        let (chunk, frames) = chunk(tags, size: size)
        for frames in frames { #expect(run.append(chunk, frames)) }
    }

    private func emptied(_ run: DeliveryRun) throws -> [UInt64] {
        var tags: [UInt64] = []
        while let message = try run.popFirst(decoder) { tags.append(message.deliveryTag) }
        return tags
    }

    @Test func `a small run lets go of its chunk, and is the same`() throws {
        let (chunk, frames) = chunk(1..<6)
        let run = DeliveryRun(chunks: ChunkShelf())
        run.begin(source)
        for frames in frames { #expect(run.append(chunk, frames)) }
        run.copyIfSmall()
        memset(chunk.base, 0, chunk.capacity)
        #expect(run.deliveryTags == [1, 2, 3, 4, 5])
        #expect(try emptied(run) == [1, 2, 3, 4, 5])
        #expect(run.isEmpty)
    }

    @Test func `a large run keeps its chunk, and takes none of another in`() throws {
        let large = run(1..<4, size: 20_000)
        large.copyIfSmall()
        let (other, frames) = chunk(4..<5)
        #expect(!large.append(other, frames[0]))
        #expect(!large.absorb(run(4..<5)))
        #expect(try emptied(large) == [1, 2, 3])
    }

    @Test func `deliveries from several chunks come in their order`() throws {
        let run = DeliveryRun(chunks: ChunkShelf())
        run.begin(source)
        for first in stride(from: 1, to: 31, by: 3) { append(first..<(first + 3), to: run) }
        #expect(run.deliveryTags == (1...30).map(UInt64.init))
        #expect(try emptied(run) == (1...30).map(UInt64.init))
    }

    @Test func `a run takes another in behind its own, and leaves it empty`() throws {
        let first = run(1..<4)
        let second = run(4..<6)
        for run in [first, second] { run.copyIfSmall() }
        let footprint = first.footprint + second.footprint
        #expect(first.absorb(second))
        #expect(second.isEmpty && second.footprint == 0)
        #expect(first.footprint == footprint)
        second.begin(source)
        append(6..<8, to: second)
        #expect(try emptied(first) == [1, 2, 3, 4, 5])
        #expect(try emptied(second) == [6, 7])
    }

    @Test(arguments: [(10, 20 * 324), (2000, 65_536), (10_000, 20 * 10_314)])
    func `what keeps the memory it was received into counts with a fair part of that`(size: Int, counted: Int) {
        let run = run(1..<21, size: size)
        run.copyIfSmall()
        #expect(run.footprint == counted)
        run.clear()
        #expect(run.footprint == 0)
    }

    /// Of a chunk of the usual 192 KiB, 32 KiB keep it, and count as 64 KiB at least.
    @Test(arguments: [(2 << 20, 10 * 20_314), (768 << 10, 256 << 10)])
    func `an unusually large chunk is kept only for more, and counts with more`(capacity: Int, counted: Int) throws {
        let (chunk, frames) = chunk(1..<11, size: 20_000)
        let large = ReceiveChunk(capacity: capacity)
        large.base.copyMemory(from: chunk.base, byteCount: chunk.capacity)
        let run = DeliveryRun(chunks: ChunkShelf())
        run.begin(source)
        for frames in frames { #expect(run.append(large, frames)) }
        run.copyIfSmall()
        #expect(run.footprint == counted)
        #expect((run.copied > 0) == (capacity == 2 << 20))
        #expect(try emptied(run) == (1...10).map(UInt64.init))
    }

    @Test func `what is left over has its tags`() throws {
        let run = run(1..<5)
        _ = try run.popFirst(decoder)
        #expect(run.deliveryTags == [2, 3, 4])
        run.clear()
        #expect(run.isEmpty && run.deliveryTags.isEmpty)
    }
}

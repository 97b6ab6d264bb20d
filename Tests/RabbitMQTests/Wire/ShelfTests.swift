import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what a link's consumers share")
struct ShelfTests {
    private let chunks = ChunkShelf()

    @Test(arguments: [(1, 2048), (2048, 2048), (2049, 4096), (30_000, 32_768), (65_536, 65_536), (65_537, 65_537)])
    func `a chunk has the next size of those that are kept, or as much as is asked for`(count: Int, capacity: Int) {
        #expect(chunks.take(count).capacity == capacity)
    }

    @Test func `the chunk that was put down last is taken first, by its size`() {
        let (small, large, other) = (chunks.take(2048), chunks.take(10_000), chunks.take(2000))
        for chunk in [small, large, other] { chunks.put(chunk) }
        #expect(chunks.take(1) === other)
        #expect(chunks.take(1) === small)
        #expect(chunks.take(16_384) === large)
        #expect(chunks.byteCount == 0)
    }

    @Test func `no more than 8 MiB are kept, and none of the largest`() {
        chunks.put(chunks.take(65_537))
        #expect(chunks.byteCount == 0)
        let taken = (1...200).map { _ in chunks.take(64 * 1024) }
        for chunk in taken { chunks.put(chunk) }
        #expect(chunks.byteCount == 8 << 20)
        chunks.trim()
        #expect(chunks.byteCount == 0)
    }

    @Test func `the first that is kept is told of, and the first after all were given back`() {
        let told = Collected<String>()
        let chunks = ChunkShelf { told.add("a chunk") }
        let decoders = DecoderShelf { told.add("a decoder") }
        for expected in [["a chunk", "a decoder"], ["a chunk", "a decoder", "a chunk", "a decoder"]] {
            for _ in 1...2 { chunks.put(chunks.take(1)) }
            for _ in 1...2 { decoders.put(decoders.take()) }
            #expect(told.all == expected)
            chunks.trim()
            decoders.trim()
            #expect(decoders.count == 0)
        }
    }

    @Test func `the decoder that was put down last is taken first, and one that is needed is made`() {
        let decoders = DecoderShelf()
        let (first, second) = (decoders.take(), decoders.take())
        #expect(first !== second)
        decoders.put(first)
        decoders.put(second)
        #expect(decoders.take() === second)
        #expect(decoders.take() === first)
    }

    @Test func `a run leaves its memory to others once it is empty`() throws {
        let run = DeliveryRun(chunks: chunks)
        _ = run.makeRoom(for: 3000)
        run.appended(upTo: 3000, footprint: 3000)
        let copies = try #require(run.copies)
        run.clear()
        #expect(run.copies == nil)
        #expect(chunks.take(3000) === copies)
    }
}

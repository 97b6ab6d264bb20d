import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what is received into")
struct ReceiveBufferTests {
    private var buffer = ReceiveBuffer()
    /// A part of the largest frame that is usual, all but its last byte.
    private static let mostUnconsumed = 131_071

    /// Counts from 0, over and over.
    private static let numbers = (0..<ReceiveBuffer.mostRead + 256).map { UInt8(truncatingIfNeeded: $0) }

    /// Receives so many bytes, each of which is the next number.
    private mutating func receive(_ count: Int, after number: inout Int) {
        let room = buffer.room()
        let received = min(count, room.count)
        room.copyBytes(from: Self.numbers[(number % 256)...].prefix(received))
        buffer.received(received)
        number += received
    }

    private mutating func isCounting(_ bytes: UnsafeRawBufferPointer, from number: Int) -> Bool {
        bytes.indices.allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: number + $0) }
    }

    /// Receives and consumes, while somebody holds the chunk, until the buffer has turned to another.
    private mutating func turnOver() {
        let held = buffer.chunk
        let before = ObjectIdentifier(held)
        while ObjectIdentifier(buffer.chunk) == before {
            let count = buffer.room().count
            guard ObjectIdentifier(buffer.chunk) == before else { break }
            buffer.received(count)
            // Without the last byte, it would begin anew where it is.
            buffer.consume(buffer.bytes.count - 1)
        }
        withExtendedLifetime(held) {}
    }

    @Test mutating func `a connection that gets little has little memory`() {
        #expect(buffer.room().count == 16 * 1024)
        #expect(buffer.chunk.capacity == 16 * 1024)
        for _ in 0..<100 {
            buffer.received(10_000)
            buffer.consume(10_000)
            #expect(buffer.room().count == 16 * 1024)
        }
    }

    @Test mutating func `the small chunk that it begins with goes when more comes`() {
        weak var first: ReceiveChunk?
        first = buffer.chunk
        #expect(first != nil)
        var number = 0
        receive(16 * 1024, after: &number)
        #expect(buffer.room().count == ReceiveBuffer.mostRead)
        #expect(first == nil)
        #expect(isCounting(buffer.bytes, from: 0))
    }

    @Test(arguments: [false, true])
    mutating func `there is always room for the rest of the largest frame`(holds: Bool) {
        for consumed in stride(from: 0, to: 131_072, by: 10_007) {
            var buffer = ReceiveBuffer()
            var held: [ReceiveChunk] = []
            for size in [consumed, Self.mostUnconsumed] {
                while buffer.bytes.count < size {
                    buffer.received(min(buffer.room().count, size - buffer.bytes.count))
                    if holds { held.append(buffer.chunk) }
                }
                #expect(buffer.room().count >= 4096)
                // All but the last byte, so that it can't begin anew.
                if size == consumed { buffer.consume(max(0, consumed - 1)) }
            }
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    mutating func `at random, what is received comes out in order, and stays as it is while somebody holds the chunk`(
        seed: UInt64
    ) {
        var random = SplitMix(seed: seed)
        var (received, consumed) = (0, 0)
        var held: [(chunk: ReceiveChunk, start: Int, bytes: [UInt8])] = []
        for _ in 0..<400 {
            let room = buffer.room()
            #expect((4096...ReceiveBuffer.mostRead).contains(room.count))
            let most = min(room.count, Self.mostUnconsumed - (received - consumed))
            // Mostly little, now and then as much as there is.
            let isMuch = Int.random(in: 0..<4, using: &random) == 0
            receive(isMuch ? most : Int.random(in: 0...min(most, 3000), using: &random), after: &received)
            #expect(buffer.bytes.count == received - consumed)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: held.append((buffer.chunk, buffer.start, Array(buffer.bytes)))
            case 1: if !held.isEmpty { held.remove(at: Int.random(in: held.indices, using: &random)) }
            default: break
            }
            #expect(buffer.bytes.first.map { $0 == UInt8(truncatingIfNeeded: consumed) } ?? true)
            let left = received - consumed
            let taken = Bool.random(using: &random) ? left : Int.random(in: 0...left, using: &random)
            #expect(isCounting(UnsafeRawBufferPointer(rebasing: buffer.bytes.prefix(min(taken, 512))), from: consumed))
            buffer.consume(taken)
            consumed += taken
        }
        for (chunk, start, bytes) in held {
            #expect(Array(UnsafeRawBufferPointer(start: chunk.base + start, count: bytes.count)) == bytes)
        }
    }

    @Test mutating func `a chunk that nobody holds any more is used again`() {
        turnOver()
        let first = ObjectIdentifier(buffer.chunk)
        turnOver()
        let second = ObjectIdentifier(buffer.chunk)
        #expect(first != second)
        turnOver()
        #expect(ObjectIdentifier(buffer.chunk) == first)
    }

    @Test mutating func `a chunk that is not held is not left`() {
        turnOver()
        let chunk = ObjectIdentifier(buffer.chunk)
        for _ in 0..<100 {
            buffer.received(buffer.room().count)
            buffer.consume(buffer.bytes.count - 1)
        }
        #expect(ObjectIdentifier(buffer.chunk) == chunk)
    }

    @Test(arguments: [false, true])
    mutating func `a frame that is larger than usual has room, and its memory goes with it`(holds: Bool) {
        var number = 0
        var held: [ReceiveChunk] = []
        while number < FrameScanner.largestHeader {
            receive(50_000, after: &number)
            if holds { held.append(buffer.chunk) }
            let room = buffer.room().count
            #expect(room >= 4096)
        }
        let bytes = buffer.bytes
        #expect(isCounting(bytes, from: 0))
        #expect(bytes.count == number && buffer.chunk.capacity <= 3 * FrameScanner.largestHeader)
        buffer.consume(number)
        held = []
        let room = buffer.room().count
        #expect(room == ReceiveBuffer.mostRead)
        #expect(buffer.chunk.capacity < FrameScanner.largestHeader / 4)
    }

    @Test(arguments: [0, 1, 100_000])
    mutating func `the memory of a frame that was larger than usual goes while nothing comes`(left: Int) {
        var number = 0
        while number < FrameScanner.largestHeader { receive(50_000, after: &number) }
        // Still needed: the frame is not all there.
        buffer.trim()
        let (kept, isSpare) = (buffer.chunk.capacity, buffer.hasSpareMemory)
        #expect(kept >= FrameScanner.largestHeader && !isSpare)
        buffer.consume(number - left)
        let isSpareThen = buffer.hasSpareMemory
        #expect(isSpareThen)
        buffer.trim()
        let isSpareNow = buffer.hasSpareMemory
        #expect(!isSpareNow && buffer.chunk.capacity < FrameScanner.largestHeader / 4)
        let first = number - left
        receive(1000, after: &number)
        let bytes = buffer.bytes
        #expect(bytes.count == left + 1000)
        #expect(isCounting(bytes, from: first))
    }

    @Test mutating func `no more than four chunks are kept for use again, and none after a quiet time`() {
        struct Reference { weak var chunk: ReceiveChunk? }
        turnOver()
        var held: [ReceiveChunk] = []
        for _ in 0..<8 {
            held.append(buffer.chunk)
            turnOver()
        }
        let references = held.map { Reference(chunk: $0) }
        held = []
        #expect(references.filter { $0.chunk != nil }.count == 4)
        buffer.trim()
        #expect(references.allSatisfy { $0.chunk == nil })
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the outbound buffer")
struct OutboundBufferTests {
    private func put(_ bytes: [UInt8], into buffer: OutboundBuffer) {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            buffer.room(for: bytes.count).copyMemory(from: base, byteCount: bytes.count)
        }
        buffer.advance(bytes.count)
    }

    @Test func `however little is written at a time, all comes out in order`() throws {
        var random = SplitMix(seed: 5)
        for _ in 0..<300 {
            let buffer = OutboundBuffer(capacity: 8)
            var expected: [UInt8] = []
            for _ in 0..<Int.random(in: 0...60, using: &random) {
                let bytes = random.bytes(upTo: 30)
                if Bool.random(using: &random), !bytes.isEmpty {
                    let start = Int.random(in: 0..<bytes.count, using: &random)
                    buffer.splice(bytes, start..<bytes.count)
                    expected += bytes[start...]
                } else {
                    put(bytes, into: buffer)
                    expected += bytes
                }
                if Int.random(in: 0..<4, using: &random) == 0 {
                    let mark = buffer.mark
                    put(random.bytes(upTo: 50), into: buffer)
                    buffer.splice([1, 2, 3, 4], 1..<3)
                    buffer.rewind(to: mark)
                }
            }
            #expect(buffer.byteCount == expected.count)
            #expect(buffer.isEmpty == expected.isEmpty)
            var written: [UInt8] = []
            var isDone = false
            while !isDone {
                isDone = try buffer.drain { pieces throws(AMQPError) in
                    let all = [UInt8](gathering: pieces)
                    let count = Int.random(in: 0...all.count, using: &random)
                    written += all.prefix(count)
                    return count
                }
            }
            #expect(written == expected)
            buffer.clear()
            #expect(buffer.isEmpty)
            put([1, 2, 3], into: buffer)
            #expect(try drained(buffer) == [1, 2, 3])
        }
    }

    @Test(arguments: [
        ClientMethod.connectionStartOk(
            ClientMethod.StartOk(clientProperties: [:], mechanism: "PLAIN", response: Array("hunter2".utf8))
        ),
        .connectionSecureOk(response: Array("hunter2".utf8)),
        .connectionUpdateSecret(secret: Array("hunter2".utf8), reason: "r"),
    ])
    func `a password is wiped once it was written`(method: ClientMethod) throws {
        let (buffer, pool) = (OutboundBuffer(), Pool())
        try buffer.append(method, channel: 0, frameMax: 4096, pool: pool)
        let count = buffer.byteCount
        #expect(String(decoding: try drained(buffer), as: UTF8.self).contains("hunter2"))
        buffer.clear()
        #expect(UnsafeRawBufferPointer(start: buffer.room(for: count), count: count).allSatisfy { $0 == 0 })
        // The same memory again.
        pool.recycle()
        let page = try #require(pool.allocate(UInt8.self, count: 2048))
        #expect(!String(decoding: UnsafeBufferPointer(start: page, count: 2048), as: UTF8.self).contains("hunter2"))
    }

    @Test(arguments: [(8, 1), (16, 1), (17, 2), (100, 7)])
    func `up to sixteen parts of bodies go out at once`(parts: Int, writes: Int) throws {
        let buffer = OutboundBuffer()
        let body: [UInt8] = [1, 2, 3, 4]
        for part in 0..<parts {
            put([9], into: buffer)
            buffer.splice(body, part % 4..<4)
        }
        put([9], into: buffer)
        var count = 0
        let isDone = try buffer.drain { pieces throws(AMQPError) in
            count += 1
            return [UInt8](gathering: pieces).count
        }
        #expect(isDone)
        #expect(count == writes)
    }

    @Test func `a write that fails leaves the rest where it was`() throws {
        let buffer = OutboundBuffer()
        put([1, 2, 3], into: buffer)
        buffer.splice([4, 5, 6], 0..<3)
        put([7], into: buffer)
        var isFirst = true
        #expect(throws: AMQPError.self) {
            _ =
                try buffer.drain { _ throws(AMQPError) in
                    if isFirst {
                        isFirst = false
                        return 4
                    }
                    throw AMQPError(.connectionLost, "lost")
                } || buffer.drain { _ throws(AMQPError) in throw AMQPError(.connectionLost, "lost") }
        }
        #expect(try drained(buffer) == [5, 6, 7])
    }

    @Test func `a large buffer is given back once it is empty`() throws {
        let buffer = OutboundBuffer()
        put([UInt8](repeating: 1, count: 5 << 20), into: buffer)
        buffer.clear()
        put([9], into: buffer)
        #expect(try drained(buffer) == [9])
    }
}

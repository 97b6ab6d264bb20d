import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what waits for a consumer")
struct DeliveryBufferTests {
    private let gauge = InboundGauge(highWater: 64_000) {}
    private let source = DeliverySource.unconnected()

    /// A run of one message that takes so many bytes.
    private func run(_ bytes: Int) -> DeliveryRun {
        let run = DeliveryRun(chunks: ChunkShelf())
        run.begin(source)
        let message = IncomingMessage(
            message: Message(body: [UInt8](repeating: 0, count: bytes - Message.overhead)),
            deliveryTag: 1,
            redelivered: false,
            exchangeName: "",
            routingKey: "",
            source: source
        )
        run.append(message)
        #expect(run.footprint == bytes)
        return run
    }

    private func append(_ bytes: Int, to buffer: DeliveryBuffer) { _ = buffer.append(run(bytes)) }

    @Test func `all of it counts without a limit`() async throws {
        let buffer = DeliveryBuffer(gauge: gauge)
        append(1000, to: buffer)
        append(500, to: buffer)
        #expect(gauge.waitingBytes == 1500 && buffer.waitingBytes == 1500)
        _ = try await buffer.take(returning: nil)
        #expect(gauge.waitingBytes == 0 && buffer.waitingBytes == 0)
    }

    @Test func `with a limit what is more than its share counts`() async throws {
        let buffer = DeliveryBuffer(gauge: gauge, isLimited: true)
        append(256_000, to: buffer)
        #expect(gauge.waitingBytes == 0)
        append(1000, to: buffer)
        #expect(gauge.waitingBytes == 1000 && buffer.waitingBytes == 257_000)
        _ = try await buffer.take(returning: nil)
        #expect(gauge.waitingBytes == 0)
    }

    @Test func `many share what one has alone, and have something in any case`() {
        let buffers = (0..<4).map { _ in DeliveryBuffer(gauge: gauge, isLimited: true) }
        for buffer in buffers { append(65_000, to: buffer) }
        #expect(gauge.waitingBytes == 4 * 1000)
        // One that has ended leaves its share to the others.
        for buffer in buffers.dropFirst() { _ = buffer.end(nil, cuts: true) }
        append(256_000 - 65_000, to: buffers[0])
        #expect(gauge.waitingBytes == 0)
        let thousand = (0..<1000).map { _ in DeliveryBuffer(gauge: gauge, isLimited: true) }
        for buffer in thousand { append(1000, to: buffer) }
        #expect(gauge.waitingBytes == 0)
        append(500, to: thousand[0])
        #expect(gauge.waitingBytes == 500)
    }

    @Test func `what is dropped, and what a buffer takes with it, is counted out`() async throws {
        do {
            let cut = DeliveryBuffer(gauge: gauge, isLimited: true)
            append(300_000, to: cut)
            #expect(gauge.waitingBytes == 44_000)
            #expect(cut.end(nil, cuts: true).count == 1)
            #expect(gauge.waitingBytes == 0)
            let left = DeliveryBuffer(gauge: gauge, isLimited: true)
            append(300_000, to: left)
            _ = left.end(nil, cuts: false)
            // It may still be taken, and counts as before.
            #expect(gauge.waitingBytes == 44_000)
            #expect(left.append(run(1000)).isEnded)
            withExtendedLifetime(cut) {}
        }
        #expect(gauge.waitingBytes == 0)
        append(256_001, to: DeliveryBuffer(gauge: gauge, isLimited: true))
        let single = DeliveryBuffer(gauge: gauge, isLimited: true)
        append(256_000, to: single)
        #expect(gauge.waitingBytes == 0)
    }

    @Test(arguments: [1, 63, Int.max / 4, .max])
    func `no mark makes it trap`(highWater: Int) {
        let gauge = InboundGauge(highWater: highWater) {}
        let buffer = DeliveryBuffer(gauge: gauge, isLimited: true)
        append(1_000_000, to: buffer)
        #expect(gauge.waitingBytes == max(0, 1_000_000 - (highWater > 1000 ? .max : 4 * highWater)))
    }

    @Test func `an interruption drops what waits, counts it out, and voids what was taken before`() async throws {
        let buffer = DeliveryBuffer(gauge: gauge)
        append(1000, to: buffer)
        let taken = try await buffer.take(returning: nil)
        let (_, epoch) = try #require(taken)
        append(500, to: buffer)
        #expect(buffer.holds(epoch))
        buffer.interrupt(drops: true)
        #expect(!buffer.holds(epoch) && !buffer.isCutOff)
        #expect(gauge.waitingBytes == 0 && buffer.waitingBytes == 0)
        append(300, to: buffer)
        let next = try await buffer.take(returning: nil)
        let (run, later) = try #require(next)
        #expect(run.footprint == 300 && buffer.holds(later))
        _ = buffer.end(nil, cuts: true)
        buffer.interrupt(drops: true)
        #expect(buffer.isCutOff && !buffer.holds(later))
    }

    @Test func `an interruption leaves what needs no settling`() async throws {
        let buffer = DeliveryBuffer(gauge: gauge)
        append(1000, to: buffer)
        let taken = try await buffer.take(returning: nil)
        let (_, epoch) = try #require(taken)
        append(500, to: buffer)
        buffer.interrupt(drops: false)
        #expect(buffer.holds(epoch) && buffer.waitingBytes == 500)
    }

    @Test func `who waits goes on waiting over an interruption`() async throws {
        let buffer = DeliveryBuffer(gauge: gauge)
        let taking = Task { try await buffer.take(returning: nil)?.run.footprint }
        buffer.interrupt(drops: true)
        append(700, to: buffer)
        #expect(try await taking.value == 700)
    }
}

extension DeliveryBuffer.Appended {
    fileprivate var isEnded: Bool { if case .ended = self { true } else { false } }
}

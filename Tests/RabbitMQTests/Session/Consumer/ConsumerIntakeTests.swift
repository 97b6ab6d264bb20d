import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("filling a consumer's runs")
struct ConsumerIntakeTests {
    private let consumers = UnconnectedConsumers()

    /// A delivery as it is received, in a chunk of its own.
    private func delivery(_ tag: UInt64, size: Int) -> (chunk: ReceiveChunk, frames: Range<Int>) {
        let bytes = PeerFrame.delivery([UInt8](repeating: 7, count: size), tag: tag, consumer: "c").flatMap(\.bytes)
        let chunk = ReceiveChunk(capacity: bytes.count)
        UnsafeMutableRawBufferPointer(start: chunk.base, count: bytes.count).copyBytes(from: bytes)
        return (chunk, 0..<bytes.count)
    }

    private func append(_ tags: ClosedRange<UInt64>, size: Int, to intake: ConsumerIntake) {
        for tag in tags {
            consumers.session.state.withLock { $0.settlements.delivered(tag) }
            let (chunk, frames) = delivery(tag, size: size)
            intake.append(chunk, frames)
        }
    }

    private func taken(_ consumer: Consumer) async throws -> [UInt64] {
        _ = consumer.buffer.end(nil, cuts: false)
        let decoder = DeliveryDecoder()
        var tags: [UInt64] = []
        while let run = try await consumer.buffer.take(returning: nil)?.run {
            while let message = try run.popFirst(decoder) { tags.append(message.deliveryTag) }
        }
        return tags
    }

    @Test func `it knows its consumer's tag, byte for byte`() {
        func hasTag(_ tag: String, _ other: String) -> Bool {
            let intake = ConsumerIntake(consumers.consumer(tag))
            return Array(other.utf8).withUnsafeBufferPointer { intake.hasTag($0) }
        }
        #expect(hasTag("ctag-100", "ctag-100"))
        #expect(!hasTag("ctag-100", "ctag-101") && !hasTag("ctag-100", "ctag-10") && !hasTag("ctag-100", "ctag-1000"))
        #expect(!hasTag("a", ""))
    }

    @Test func `large deliveries, each of which keeps its chunk, are handed over in their order`() async throws {
        let consumer = consumers.consumer("c")
        let intake = ConsumerIntake(consumer)
        append(1...3, size: 40_000, to: intake)
        #expect(consumer.buffer.waitingBytes == 0)
        intake.handOver()
        #expect(intake.run.isEmpty)
        append(4...5, size: 10, to: intake)
        intake.append(consumers.message(6, for: consumer))
        append(7...8, size: 10, to: intake)
        intake.handOver()
        #expect(try await taken(consumer) == Array(1...8))
    }

    @Test func `small ones need nothing of what they were received into once they are handed over`() async throws {
        let consumer = consumers.consumer("c")
        let intake = ConsumerIntake(consumer)
        consumers.session.state.withLock { $0.settlements.delivered(1) }
        let (chunk, frames) = delivery(1, size: 10)
        intake.append(chunk, frames)
        intake.handOver()
        memset(chunk.base, 0, chunk.capacity)
        #expect(try await taken(consumer) == [1])
    }

    @Test func `a run that the consumer has emptied is filled again`() async throws {
        let consumer = consumers.consumer("c")
        let intake = ConsumerIntake(consumer)
        append(1...1, size: 10, to: intake)
        let first = intake.run
        intake.handOver()
        #expect(intake.run !== first)
        let taken = try #require(try await consumer.buffer.take(returning: nil)?.run)
        #expect(taken === first)
        _ = try taken.popFirst(DeliveryDecoder())
        append(2...2, size: 10, to: intake)
        intake.handOver()
        _ = try await consumer.buffer.take(returning: taken)
        append(3...3, size: 10, to: intake)
        intake.handOver()
        #expect(intake.run === first)
    }

    @Test(arguments: [10, 40_000])
    func `what comes for a consumer that has ended is given back`(size: Int) throws {
        let consumer = consumers.consumer("c")
        let intake = ConsumerIntake(consumer)
        append(1...3, size: size, to: intake)
        #expect(consumers.unsettledCount == 3)
        consumer.cancelInBackground()
        intake.handOver()
        #expect(consumers.unsettledCount == 0)
        #expect(intake.run.isEmpty)
        #expect(consumer.buffer.waitingBytes == 0)
    }

    @Test func `what needs no acknowledgement is dropped then, and nothing is sent for it`() throws {
        let consumer = consumers.consumer("c", noAck: true)
        let intake = ConsumerIntake(consumer)
        consumer.cancelInBackground()
        #expect(try consumers.sent().map(\.method) == [.basicCancel])
        intake.append(consumers.message(1, for: consumer))
        intake.handOver()
        #expect(try consumers.sent().isEmpty)
        #expect(intake.run.isEmpty && consumer.buffer.waitingBytes == 0)
    }
}

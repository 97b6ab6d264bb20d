import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("lanes of deliveries")
struct DeliveryLanesTests {
    private let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)

    private func consumer(_ tag: String, noAck: Bool = true) -> Consumer {
        let lease = ChannelLease(session: session, connection: ConnectionLease(link: session.link))
        return Consumer(
            tag: tag,
            source: DeliverySource(lease: lease, queue: "q", consumerTag: tag, noAck: noAck),
            buffer: DeliveryBuffer(gauge: nil),
            callback: nil
        )
    }

    /// Appends a delivery, as it is received, and overwrites what it was received into unless it may be kept.
    private func append(_ tag: UInt64, size: Int = 10, keeps: Bool = true, to lanes: inout DeliveryLanes, _ lane: Int) {
        let bytes = PeerFrame.delivery([UInt8](repeating: 7, count: size), tag: tag, consumer: "c").flatMap(\.bytes)
        let chunk = ReceiveChunk(capacity: bytes.count + 3)
        UnsafeMutableRawBufferPointer(start: chunk.base + 3, count: bytes.count).copyBytes(from: bytes)
        lanes.append(chunk, 3..<(3 + bytes.count), to: lane)
        if !keeps { memset(chunk.base, 0, chunk.capacity) }
    }

    private func message(_ tag: UInt64, for consumer: Consumer) -> IncomingMessage {
        IncomingMessage(
            message: Message(body: [UInt8](repeating: 1, count: 10)),
            deliveryTag: tag,
            redelivered: false,
            exchangeName: "",
            routingKey: "",
            source: consumer.source
        )
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

    @Test func `what is gathered needs nothing of the memory it was received into`() async throws {
        var lanes = DeliveryLanes()
        lanes.isGathering = true
        let consumers = ["a", "b", "c"].map { consumer($0) }
        let numbers = consumers.map { lanes.add($0) }
        for tag in 1...300 as ClosedRange<UInt64> {
            append(tag, keeps: false, to: &lanes, numbers[Int(tag % 3)])
            if tag % 70 == 0 { lanes.handOver() }
        }
        lanes.handOver()
        for (index, consumer) in consumers.enumerated() {
            #expect(try await taken(consumer) == (1...300).filter { $0 % 3 == UInt64(index) })
        }
    }

    @Test(arguments: [true, false])
    func `small, large and put together messages stay in order`(isGathering: Bool) async throws {
        var lanes = DeliveryLanes()
        lanes.isGathering = isGathering
        let consumer = consumer("a")
        let lane = lanes.add(consumer)
        for tag in 1...90 as ClosedRange<UInt64> {
            switch tag % 9 {
            case 2, 5: append(tag, size: 40_000, to: &lanes, lane)
            case 4, 7: lanes.append(message(tag, for: consumer), to: lane)
            default: append(tag, size: 1000, to: &lanes, lane)
            }
            if tag % 31 == 0 { lanes.handOver() }
        }
        lanes.handOver()
        #expect(try await taken(consumer) == Array(1...90))
    }

    @Test func `what is handed over counts as much as it would without being gathered`() {
        var footprints: [Int] = []
        for isGathering in [true, false] {
            var lanes = DeliveryLanes()
            lanes.isGathering = isGathering
            let consumer = consumer("a")
            let lane = lanes.add(consumer)
            for tag in 1...20 as ClosedRange<UInt64> { append(tag, to: &lanes, lane) }
            lanes.handOver()
            footprints.append(consumer.buffer.end(nil, cuts: true).reduce(0) { $0 + $1.footprint })
        }
        #expect(footprints == [20 * 324, 20 * 324])
    }

    @Test func `those that got something are counted once, until they have it`() {
        var lanes = DeliveryLanes()
        let numbers = ["a", "b", "c"].map { lanes.add(consumer($0)) }
        for (tag, lane) in [0, 2, 0, 2, 2].enumerated() { append(UInt64(tag), to: &lanes, numbers[lane]) }
        #expect(lanes.recipients == 2)
        lanes.handOver()
        #expect(lanes.recipients == 0)
    }

    @Test func `a lane that was left goes to the next consumer, with nothing in it`() async throws {
        var lanes = DeliveryLanes()
        lanes.isGathering = true
        let (first, second) = (consumer("a"), consumer("b", noAck: false))
        let lane = lanes.add(first)
        #expect(!lanes.needsSettling(lane))
        append(1, to: &lanes, lane)
        lanes.handOver()
        lanes.remove(lane)
        #expect(lanes.intake(lane) == nil)
        #expect(lanes.add(second) == lane)
        #expect(lanes.needsSettling(lane))
        append(2, to: &lanes, lane)
        lanes.handOver()
        #expect(try await taken(first) == [1])
        #expect(try await taken(second) == [2])
    }
}

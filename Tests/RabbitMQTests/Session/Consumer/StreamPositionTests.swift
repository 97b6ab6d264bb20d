import Synchronization
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@testable import RabbitMQ

@Suite("how far a consumer has come in a stream")
struct StreamPositionTests {
    private func position(start: FieldValue? = .string("first"), began: Double = 1000.75) -> StreamPosition {
        StreamPosition(start: start, began: Date(timeIntervalSince1970: began))
    }

    private func deliver(_ range: ClosedRange<UInt64>, offset: UInt64, _ position: inout StreamPosition) {
        for tag in range { position.delivered(tag, offset: offset + tag - range.lowerBound) }
    }

    private func restart(_ position: StreamPosition) -> FieldValue? {
        var position = position
        return position.restart()
    }

    @Test func `it goes on behind the last message that was settled in order`() {
        var position = position()
        deliver(1...5, offset: 100, &position)
        #expect(restart(position) == .int64(100))
        position.settled(2, multiple: false)
        #expect(restart(position) == .int64(100))
        position.settled(1, multiple: false)
        #expect(restart(position) == .int64(102))
        position.settled(5, multiple: false)
        position.settled(4, multiple: true)
        #expect(restart(position) == .int64(105))
    }

    @Test func `tags that were not delivered here, settled twice or out of range change nothing`() {
        var position = position()
        position.settled(1, multiple: true)
        for (tag, offset) in [(3, 10), (7, 11), (9, 12)] { position.delivered(UInt64(tag), offset: UInt64(offset)) }
        position.settled(5, multiple: false)
        #expect(restart(position) == .int64(10))
        position.settled(5, multiple: true)
        position.settled(3, multiple: false)
        #expect(restart(position) == .int64(11))
        position.settled(.max, multiple: true)
        #expect(restart(position) == .int64(13))
        position.settled(0, multiple: true)
        #expect(restart(position) == .int64(13))
    }

    @Test func `after a restart tags begin anew, and what was settled stays so`() {
        var position = position()
        deliver(1...5, offset: 100, &position)
        position.settled(3, multiple: true)
        #expect(position.restart() == .int64(103))
        position.settled(5, multiple: true)
        #expect(restart(position) == .int64(103))
        deliver(1...2, offset: 103, &position)
        position.settled(1, multiple: false)
        #expect(position.restart() == .int64(104))
        #expect(position.restart() == .int64(104))
    }

    @Test func `before anything came it begins where it began, or with what was published since`() {
        #expect(restart(position(start: .string("first"))) == nil)
        #expect(restart(position(start: .int64(7))) == nil)
        let since = FieldValue.date(Date(timeIntervalSince1970: 1000))
        #expect(restart(position(start: nil)) == since)
        #expect(restart(position(start: .string("next"))) == since)
    }

    @Test func `at random, nothing that is not settled is passed over, and nothing settled in order comes again`() {
        var random = SplitMix(seed: 5)
        var position = position()
        var (next, settled) = (UInt64(0), Set<UInt64>())
        for _ in 0..<200 {
            // What is at hand on this session, by tag.
            var offsets: [UInt64: UInt64] = [:]
            for tag in 1...UInt64.random(in: 1...20, using: &random) {
                position.delivered(tag, offset: next)
                offsets[tag] = next
                next += 1
            }
            for tag in offsets.keys.sorted() where UInt8.random(in: 0...3, using: &random) > 0 {
                position.settled(tag, multiple: false)
                if let offset = offsets[tag] { settled.insert(offset) }
            }
            guard case .int64(let start)? = position.restart() else {
                Issue.record("no place")
                return
            }
            #expect((0..<UInt64(start)).allSatisfy(settled.contains))
            #expect(!settled.contains(UInt64(start)) || UInt64(start) == next)
            next = UInt64(start)
            settled = settled.filter { $0 < next }
        }
    }

    @Test func `deliveries of a source that was replaced count for nothing`() throws {
        let consumers = UnconnectedConsumers()
        let (old, new) = (consumers.consumer("c").source, consumers.consumer("c").source)
        let progress = StreamProgress(start: .string("first"))
        func message(_ tag: UInt64, _ offset: Int64, _ source: DeliverySource) -> IncomingMessage {
            IncomingMessage(
                message: Message(body: [], headers: ["x-stream-offset": .int64(offset)]),
                deliveryTag: tag,
                redelivered: false,
                exchangeName: "",
                routingKey: "",
                source: source
            )
        }
        progress.delivered(message(1, 10, old))
        progress.settled(1, multiple: false, of: old)
        var arguments: FieldTable = [:]
        progress.resume(&arguments, isStream: false, from: new)
        #expect(arguments["x-stream-offset"] == .int64(11))
        // Somebody took it from the old one's run meanwhile, and has settled another.
        progress.delivered(message(500, 12, old))
        for tag in 1...3 as ClosedRange<UInt64> { progress.delivered(message(tag, 10 + Int64(tag), new)) }
        progress.settled(3, multiple: true, of: old)
        progress.resume(&arguments, isStream: false, from: new)
        #expect(arguments["x-stream-offset"] == .int64(11))
        for tag in 1...3 as ClosedRange<UInt64> { progress.delivered(message(tag, 10 + Int64(tag), new)) }
        progress.settled(2, multiple: true, of: new)
        progress.resume(&arguments, isStream: false, from: new)
        #expect(arguments["x-stream-offset"] == .int64(13))
    }

    @Test func `what is rejected is settled too`() throws {
        let consumers = UnconnectedConsumers()
        let progress = StreamProgress(start: .string("first"))
        let source = DeliverySource(
            session: consumers.session,
            lease: consumers.consumer("c").source.lease,
            queue: "q",
            consumerTag: "c",
            noAck: false,
            progress: progress
        )
        var messages: [IncomingMessage] = []
        for tag in 1...4 as ClosedRange<UInt64> {
            consumers.session.state.withLock { $0.settlements.delivered(tag) }
            let message = IncomingMessage(
                message: Message(body: [], headers: ["x-stream-offset": .int64(9 + Int64(tag))]),
                deliveryTag: tag,
                redelivered: false,
                exchangeName: "",
                routingKey: "",
                source: source
            )
            progress.delivered(message)
            messages.append(message)
        }
        try messages[0].ack()
        try messages[1].reject(requeue: false)
        try messages[3].nack(multiple: true)
        var arguments: FieldTable = [:]
        progress.resume(&arguments, isStream: false, from: source)
        #expect(arguments["x-stream-offset"] == .int64(14))
    }
}

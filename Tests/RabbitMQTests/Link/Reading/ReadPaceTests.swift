import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("whether a read waits for more", .timeLimit(.minutes(1)))
struct ReadPaceTests {
    private var pace = ReadPace()
    private var now: UInt64 = 1_000_000_000
    private var delivered = 0

    /// Expects a decision after a read that brought so many messages, so many nanoseconds after the one before.
    private mutating func expect(
        _ expected: ReadPace.Wait?,
        from messages: Int,
        after time: UInt64,
        bytes: Int = 1000,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        now += time
        delivered += messages
        let wait = pace.wait(after: bytes, delivered: delivered, now: now)
        #expect(wait == expected, sourceLocation: sourceLocation)
    }

    @Test mutating func `while messages come fast it waits for as many as are worth it, within bounds`() {
        expect(nil, from: 1, after: 10_000_000)
        expect(ReadPace.Wait(time: ReadPace.shortest, messages: 40), from: 10, after: 10_000)
        expect(ReadPace.Wait(time: 80_000, messages: 16), from: 4, after: 20_000)
        // So few that it is hardly worth it, and fewer.
        expect(ReadPace.Wait(time: ReadPace.longest, messages: 4), from: 4, after: 120_000)
        expect(nil, from: 3, after: 120_000)
    }

    @Test mutating func `it does not wait for what comes alone, in large parts, or is no message`() {
        expect(nil, from: 1, after: 10_000_000)
        expect(nil, from: 1, after: 200_000)
        expect(nil, from: 0, after: 10)
        expect(nil, from: 50, after: 10_000, bytes: ReadPace.manyBytes)
        let bytes = ReadPace.manyBytes - 1
        expect(ReadPace.Wait(time: ReadPace.shortest, messages: 200), from: 50, after: 10_000, bytes: bytes)
    }

    @Test mutating func `it does not wait while messages are published, which may be what is answered`() {
        pace.note(published: 1, at: now)
        expect(nil, from: 10, after: 10_000)
        pace.note(published: 1, at: now)
        expect(nil, from: 1, after: ReadPace.publishingTime)
        expect(ReadPace.Wait(time: ReadPace.shortest, messages: 40), from: 10, after: 10_000)
        pace.note(published: 2, at: now)
        expect(nil, from: 10, after: 10_000)
    }

    @Test func `what comes fast all comes, in order, and so do one alone behind it, and an answer`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let consumer = deliveries.consumer.tag
            let count: UInt64 = 6000
            let sending = Task {
                for tag in stride(from: 1, through: count, by: 3) {
                    let tags = tag..<tag + 3
                    try await peer.send(tags.flatMap { PeerFrame.delivery([1], tag: $0, consumer: consumer) })
                }
            }
            var iterator = deliveries.makeAsyncIterator()
            for tag in 1...count {
                let message = try #require(try await iterator.next())
                try #require(message.deliveryTag == tag)
            }
            try await sending.value
            try await peer.send(PeerFrame.delivery([2], tag: count + 1, consumer: consumer))
            let last = try #require(try await iterator.next())
            #expect(last.deliveryTag == count + 1)
            try await peer.roundTrip(on: channel)
            withExtendedLifetime(iterator) {}
        }
    }

    @Test func `what is acknowledged while messages come fast is all told, without another message`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consumer = deliveries.consumer.tag
            let count: UInt64 = 3000
            let sending = Task {
                for tag in stride(from: 1, through: count, by: 3) {
                    let tags = tag..<tag + 3
                    try await peer.send(tags.flatMap { PeerFrame.delivery([1], tag: $0, consumer: consumer) })
                }
            }
            let consuming = Task {
                for try await message in deliveries { try message.ack() }
            }
            let settlements = try await peer.settlements(of: 1...count)
            #expect(settlements.acknowledged.count == Int(count))
            try await sending.value
            consuming.cancel()
        }
    }

    @Test func `what the broker may wait for is not left to the next read`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let limited: Void = channel.setQos(prefetchCount: 10)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await limited
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let session = deliveries.consumer.source.session
            #expect(!session.leavesToNextRead)
            // As a fast channel beside it would have it.
            session.link.readsSoon.store(true, ordering: .relaxed)
            #expect(session.leavesToNextRead)
            let tag = deliveries.consumer.tag
            try await peer.send((1...6).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            while messages.count < 6 { messages.append(try #require(try await iterator.next())) }
            // Five acknowledgements may wait, and the broker has leave for four messages more.
            session.link.readsSoon.store(true, ordering: .relaxed)
            #expect(!session.leavesToNextRead)
            withExtendedLifetime(iterator) {}
        }
    }
}

import Foundation
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Recovery of a stream's consumers", .timeLimit(.minutes(3)))
struct StreamRecoveryTests {
    enum Handle: CaseIterable, Sendable { case declared, unknown }

    /// Lends a stream with 20 messages.
    private func withStream(
        _ handle: Handle,
        _ body: (RecoveringClient, Queue, _ publish: (Range<Int>) async throws -> Void) async throws -> Void
    ) async throws {
        try await RecoveringClient.use { client, scratch, other in
            let name = scratch.queue("stream")
            let arguments = QueueArguments(type: .stream)
            try await other.declareQueue(name, arguments: arguments)
            try await other.selectConfirms()
            let publish = { (numbers: Range<Int>) in
                // One by one, so that each is a chunk of its own.
                for number in numbers {
                    try await other.defaultExchange.publishConfirmed(Message("\(number)"), routingKey: name)
                }
            }
            try await publish(0..<20)
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 10)
            let queue =
                switch handle {
                case .declared: try await channel.declareQueue(name, arguments: arguments)
                case .unknown: try channel.queue(name)
                }
            try await body(client, queue, publish)
        }
    }

    struct Start: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let offset: @Sendable () -> StreamOffset
        /// The first that is meant.
        let first: Int

        static let all = [
            Start(testDescription: "first", offset: { .first }, first: 0),
            Start(testDescription: "offset 7", offset: { .offset(7) }, first: 7),
            Start(testDescription: "last", offset: { .last }, first: 19),
            Start(testDescription: "next", offset: { .next }, first: 20),
            Start(
                testDescription: "timestamp",
                offset: { .timestamp(Date(timeIntervalSinceNow: -3600)) },
                first: 0
            ),
            Start(testDescription: "interval", offset: { .interval("1h") }, first: 0),
        ]
    }

    @Test(arguments: Start.all, Handle.allCases)
    func `goes on behind the last message that was settled in order`(_ start: Start, _ handle: Handle) async throws {
        try await withStream(handle) { client, queue, publish in
            var messages = try await queue.consume(ConsumerOptions(streamOffset: start.offset())).makeAsyncIterator()
            var seen: [Int] = []
            var published = 20
            for _ in 0..<4 {
                try await publish(published..<published + 15)
                published += 15
                for _ in 0..<8 {
                    let message = try #require(try await messages.next())
                    seen.append(try #require(Int(try message.text())))
                    try message.ack()
                }
                // Two that are not settled come again.
                let unsettled = try [#require(try await messages.next()), #require(try await messages.next())]
                try await client.cutAndRecover()
                for message in unsettled {
                    #expect(message.isStale)
                    try message.ack()
                }
            }
            while seen.last != published - 1 {
                let message = try #require(try await messages.next())
                seen.append(try #require(Int(try message.text())))
                try message.ack()
            }
            #expect(seen == Array(start.first..<published))
        }
    }

    @Test(arguments: Handle.allCases)
    func `what is settled out of order comes again from the first that was not`(_ handle: Handle) async throws {
        try await withStream(handle) { client, queue, _ in
            var messages = try await queue.consume(ConsumerOptions(streamOffset: .first)).makeAsyncIterator()
            var taken: [IncomingMessage] = []
            for _ in 0..<10 { taken.append(try #require(try await messages.next())) }
            for index in [9, 0, 5, 2, 1] { try taken[index].ack() }
            try await client.cutAndRecover()
            var again: [Int] = []
            for _ in 0..<5 {
                let message = try #require(try await messages.next())
                again.append(try #require(Int(try message.text())))
                taken.append(message)
            }
            #expect(again == [3, 4, 5, 6, 7])
            try taken[12].ack(multiple: true)
            try await client.cutAndRecover()
            #expect(try await messages.next()?.text() == "6")
        }
    }

    @Test(arguments: Start.all, Handle.allCases)
    func `before anything is settled it begins where it began, and loses nothing`(_ start: Start, _ handle: Handle)
        async throws
    {
        try await withStream(handle) { client, queue, publish in
            let deliveries = try await queue.consume(ConsumerOptions(streamOffset: start.offset()))
            try await client.whileDown { try await publish(20..<30) }
            var messages = deliveries.makeAsyncIterator()
            // What was published since it began, at the least.
            var seen: [Int] = []
            while seen.last != 29 {
                let message = try #require(try await messages.next())
                seen.append(try #require(Int(try message.text())))
                try message.ack()
            }
            #expect(seen.first ?? .max <= start.first, "\(seen)")
            #expect(seen == Array((seen.first ?? 0)..<30))
        }
    }

    @Test
    func `a loop that handles and settles loses nothing over ten recoveries, and nothing comes twice that was settled`()
        async throws
    {
        try await withStream(.declared) { client, queue, publish in
            let seen = Collected<Int>()
            let consumer = try await queue.consume(ConsumerOptions(streamOffset: .first)) { message in
                seen.add(Int(try message.text()) ?? -1)
                try message.ack()
            }
            for round in 0..<10 {
                try await publish(20 + 30 * round..<50 + 30 * round)
                try await client.cutAndRecover()
            }
            try await eventually("all have come", within: .seconds(30)) { seen.all.last == 319 }
            #expect(Set(seen.all) == Set(0..<320))
            // The one in hand when the connection was lost may come twice.
            #expect(seen.count <= 330)
            for (one, next) in zip(seen.all, seen.all.dropFirst()) { #expect(next == one + 1 || next == one) }
            try await consumer.cancel()
        }
    }

    @Test func `a consumer that is cancelled and begun again begins where it is told to`() async throws {
        try await withStream(.declared) { client, queue, _ in
            for try await message in try await queue.consume(ConsumerOptions(streamOffset: .first)) {
                try message.ack()
                if try message.text() == "5" { break }
            }
            try await client.cutAndRecover()
            for try await message in try await queue.consume(ConsumerOptions(streamOffset: .offset(3))) {
                #expect(try message.text() == "3")
                try message.ack()
                break
            }
        }
    }
}

import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("A publisher for a service", .timeLimit(.minutes(2)))
struct PublisherTests {
    private func numbers(in queue: Queue) async throws -> [Int] {
        var numbers: [Int] = []
        while let message = try await queue.get(noAck: true) { numbers.append(Int(try message.text()) ?? -1) }
        return numbers
    }

    @Test func `each message has its outcome, whoever publishes at the same time`() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue("publisher"))
            try await connection.withPublisher { publisher in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            if number % 10 == 3 {
                                // Nobody else is to hear of this one, for which the broker closes the channel.
                                await expectError(.notFound) {
                                    try await publisher.publish(Message("x"), to: "test.no-such", routingKey: "")
                                }
                            } else if number % 10 == 4 {
                                await expectError(.undeliverable) {
                                    try await publisher.publish(Message("x"), routingKey: "test.no-such")
                                }
                            } else {
                                try await publisher.publish(Message("\(number)"), routingKey: queue.name)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(publisher.unconfirmedCount == 0)
            }
            let wanted = (0..<200).filter { $0 % 10 != 3 && $0 % 10 != 4 }
            #expect(Set(try await numbers(in: queue)) == Set(wanted))
        }
    }

    @Test func `a lost connection costs no message and no outcome, and the order stays`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = try await other.declareQueue(scratch.queue("publisher"))
            let publisher = try await client.connection.openPublisher()
            var receipts: [PublishReceipt] = []
            for number in 0..<3000 {
                if number % 700 == 400 { client.proxy.cut() }
                receipts.append(try await publisher.send(Message("\(number)"), routingKey: queue.name))
            }
            try await publisher.drain(within: .seconds(30))
            for receipt in receipts { #expect(receipt.outcome?.isSuccess == true) }
            #expect(publisher.unconfirmedCount == 0)
            var (seen, last) = (Set<Int>(), -1)
            // What is there twice begins anew from where it was not confirmed.
            for number in try await numbers(in: queue) where seen.insert(number).inserted {
                #expect(number == last + 1)
                last = number
            }
            #expect(seen.count == 3000)
            #expect(await publisher.close())
        }
    }

    @Test func `many tasks publish while connections are lost, and each message arrives`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = try await other.declareQueue(scratch.queue("publisher"))
            try await client.connection.withPublisher { publisher in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<20 {
                        group.addTask {
                            for number in 0..<30 {
                                try await publisher.publish(Message("\(task * 30 + number)"), routingKey: queue.name)
                            }
                        }
                    }
                    for _ in 0..<3 {
                        try await Task.sleep(for: .milliseconds(20))
                        try await client.cutAndRecover()
                    }
                    try await group.waitForAll()
                }
            }
            #expect(Set(try await numbers(in: queue)) == Set(0..<600))
        }
    }

    @Test func `what may be there or not is reported where that is asked for`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = try await other.declareQueue(scratch.queue("publisher"))
            var options = Publisher.Options()
            options.unknown = .report
            let publisher = try await client.connection.openPublisher(options)
            client.proxy.pause()
            let receipt = try await publisher.send(Message("x"), routingKey: queue.name)
            client.proxy.cut()
            client.proxy.resume()
            await expectError(.outcomeUnknown) { try await receipt.confirmed() }
            try await publisher.publish(Message("1"), routingKey: queue.name)
            #expect(try await numbers(in: queue).contains(1))
        }
    }

    @Test func `what the broker refuses is published again as often as was said`() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(
                scratch.queue("publisher"),
                arguments: QueueArguments(maxLength: 1, overflow: .rejectPublish)
            )
            var options = Publisher.Options()
            let once = try await connection.openPublisher(options)
            options.nackedAgain = 100
            let often = try await connection.openPublisher(options)
            try await once.publish(Message("1"), routingKey: queue.name)
            await expectError(.nacked) { try await once.publish(Message("2"), routingKey: queue.name) }
            async let waits: Void = often.publish(Message("3"), routingKey: queue.name)
            #expect(try await queue.get(noAck: true)?.text() == "1")
            try await waits
            #expect(try await queue.get(noAck: true)?.text() == "3")
        }
    }

    @Test func `many at once have an outcome each, in order`() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue("publisher"))
            let publisher = try await connection.openPublisher()
            var messages = try (0..<500).map { try Message("\($0)") }
            messages[100].headers = [String(repeating: "x", count: 300): 1]
            let outcomes = await publisher.publish(contentsOf: messages, routingKey: queue.name)
            #expect(outcomes.count == 500)
            #expect(outcomes.prefix(100).allSatisfy { $0.isSuccess })
            // The one that can't be sent, and those behind it, which were not.
            #expect(outcomes.dropFirst(100).allSatisfy { !$0.isSuccess })
            #expect(try await numbers(in: queue) == Array(0..<100))
            await publisher.close()
            #expect(publisher.closeReason?.code == .channelClosed)
            await expectError(.channelClosed) { try await publisher.publish(Message("x"), routingKey: queue.name) }
            await expectError(.channelClosed) { try await publisher.send(Message("x"), routingKey: queue.name) }
        }
    }

    @Test func `draining and closing end in their time, and what has no outcome by then gets one`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = try await other.declareQueue(scratch.queue("publisher"))
            var options = Publisher.Options()
            options.maxUnconfirmed = 2
            let publisher = try await client.connection.openPublisher(options)
            client.proxy.pause()
            let receipt = try await publisher.send(Message("1"), routingKey: queue.name)
            let second = Task { try await publisher.publish(Message("2"), routingKey: queue.name) }
            try await eventually("two are on their way") { publisher.unconfirmedCount == 2 }
            // One that waits for a place, and is cancelled.
            let third = Task { try await publisher.publish(Message("3"), routingKey: queue.name) }
            try await Task.sleep(for: .milliseconds(20))
            third.cancel()
            await #expect(throws: CancellationError.self) { try await third.value }
            await expectError(.timedOut) { try await publisher.drain(within: .milliseconds(50)) }
            #expect(receipt.outcome == nil)
            let closing = Task { await publisher.close(within: .milliseconds(50)) }
            try await eventually("it closes") { publisher.closeReason != nil }
            client.proxy.resume()
            _ = await closing.value
            for outcome in [await second.result, await Task { try await receipt.confirmed() }.result] {
                // They were on their way: the broker may have been quicker than the end.
                if case .failure(let error) = outcome { #expect((error as? AMQPError)?.code == .outcomeUnknown) }
            }
            #expect(!(try await numbers(in: queue).contains(3)))
        }
    }
}

extension Result {
    fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }
}

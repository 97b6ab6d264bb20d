import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of what a channel was told", .timeLimit(.minutes(2)))
struct ChannelSettingsTests {
    /// Publishes 20 messages to each queue, begins consumers that keep them, and expects how many they are given.
    private func expectGiven(_ count: Int, to channel: Channel, from names: [String], _ other: Channel) async throws {
        func ready() async throws -> Int {
            var sum = 0
            for name in names { sum += try await other.queue(name).readyCount() }
            return sum
        }
        for name in names { for number in 0..<20 { try await other.send("\(number)", to: name) } }
        try await eventually("all are there") { try await ready() == 20 * names.count }
        for name in names { try await channel.queue(name).consume { _ in } }
        try await eventually("as many as may be are given") { try await ready() == 20 * names.count - count }
        // And no more than that.
        #expect(try await channel.connection.answers())
        #expect(try await ready() == 20 * names.count - count)
    }

    @Test func `a prefetch limit for each consumer`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let names = [scratch.queue(), scratch.queue()]
            for name in names { try await other.declareQueue(name) }
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 3)
            try await client.cutAndRecover()
            try await expectGiven(6, to: channel, from: names, other)
        }
    }

    @Test func `a prefetch limit for all consumers together`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let names = [scratch.queue(), scratch.queue()]
            for name in names { try await other.declareQueue(name) }
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 5, global: true)
            try await client.cutAndRecover()
            // From 4.3 on it counts for each.
            let given = try await BrokerVersion.current >= .v4_3 ? 10 : 5
            try await expectGiven(given, to: channel, from: names, other)
        }
    }

    /// From 4.3 on there is no limit for all.
    @Test(.needsBroker(before: .v4_3)) func `a limit for all holds beside one for each that was set before it`()
        async throws
    {
        try await RecoveringClient.use { client, scratch, other in
            let names = [scratch.queue(), scratch.queue()]
            for name in names { try await other.declareQueue(name) }
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 4)
            try await channel.setQos(prefetchCount: 5, global: true)
            let given = Collected<String>()
            for name in names { try await channel.queue(name).consume { _ in given.add(name) } }
            try await client.cutAndRecover()
            for name in names { for _ in 0..<20 { try await other.send("x", to: name) } }
            try await eventually("as many as may be are given") { given.count == 5 }
            // Whatever is to be delivered stands before the answer.
            try await channel.declareQueue(names[0], passive: true)
            #expect(given.count == 5)
        }
    }

    @Test func `each consumer has the limit with which it began, and the next one the latest`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let names = (0..<3).map { _ in scratch.queue() }
            for name in names { try await other.declareQueue(name) }
            let channel = try await client.connection.openChannel()
            let given = Collected<String>()
            for (index, limit) in [2, 4].enumerated() as EnumeratedSequence<[UInt16]> {
                try await channel.setQos(prefetchCount: limit)
                try await channel.queue(names[index]).consume { _ in given.add(names[index]) }
            }
            try await channel.setQos(prefetchCount: 6)
            try await client.cutAndRecover()
            try await channel.queue(names[2]).consume { _ in given.add(names[2]) }
            for name in names { for _ in 0..<20 { try await other.send("x", to: name) } }
            try await eventually("as many as may be are given") {
                let counts = names.map { name in given.all.count { $0 == name } }
                return counts == [2, 4, 6]
            }
        }
    }

    @Test func `confirms, with their limit, and what is called for returned messages`() async throws {
        try await RecoveringClient.use { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            try await channel.selectConfirms(maxUnconfirmed: 2)
            let returned = Collected<String>()
            channel.setReturnHandler { returned.add($0.routingKey) }
            let queue = try await channel.declareQueue(scratch.queue())
            for round in 0..<3 {
                try await client.cutAndRecover()
                try await queue.publishConfirmed(Message("x"))
                let receipt = try await channel.defaultExchange.publish(
                    Message("y"),
                    routingKey: "test.nowhere.\(round)",
                    mandatory: true
                )
                await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
                try await eventually("it came back") { returned.all.last == "test.nowhere.\(round)" }
                #expect(channel.unconfirmedCount == 0)
            }
            try await eventually("all are there") { try await queue.readyCount() == 3 }
        }
    }

    @Test func `transactions: the one that was under way is lost and says so, the next one counts`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            try await channel.selectTransactions()
            try await queue.publish(Message("committed"))
            try await channel.commit()
            try await queue.publish(Message("lost"))
            try await client.cutAndRecover()
            try await queue.publish(Message("rest of the lost"))
            await #expect { try await channel.commit() } throws: { ($0 as? AMQPError)?.code == .outcomeUnknown }
            try await queue.publish(Message("rolled back"))
            try await channel.rollback()
            try await queue.publish(Message("next"))
            try await channel.commit()
            let looking = try other.queue(queue.name)
            #expect(try await looking.next().text() == "committed")
            #expect(try await looking.next().text() == "next")
            #expect(try await looking.readyCount() == 0)
        }
    }

    @Test func `several channels come back, each with its own`() async throws {
        try await RecoveringClient.use { client, scratch, _ in
            var channels: [Channel] = []
            for _ in 0..<10 { channels.append(try await client.connection.openChannel()) }
            await channels[3].close()
            try await channels[1].selectConfirms()
            try await channels[2].selectTransactions()
            let numbers = channels.map(\.number)
            let report = try await client.cutAndRecover()
            #expect(report.channels == 9)
            #expect(!channels[3].isOpen)
            for (index, channel) in channels.enumerated() where index != 3 {
                #expect(channel.number == numbers[index] && channel.isOpen)
                // What the broker forgot of the transaction that was under way.
                if index == 2 { try await channel.rollback() }
                let queue = try await channel.declareQueue(scratch.queue())
                try await queue.publish(Message("x"))
                if index == 2 { try await channel.commit() }
                #expect(try await queue.next().text() == "x")
            }
            #expect(channels[1].unconfirmedCount == 0)
        }
    }
}

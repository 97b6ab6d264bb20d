import RabbitMQ
import TestSupport
import Testing

/// What a consumer was sent and nobody saw goes back to its queue. From RabbitMQ 4.0 on, quorum queues have a delivery
/// limit of 20: in 4.0 to 4.2 every return counts, from 4.3 on a nack doesn't.
@Suite("giving back what nobody saw", .timeLimit(.minutes(2)))
struct GivingBackTests {
    private static let count = 60

    /// How a consumer leaves after its first message.
    enum Leaving: CaseIterable {
        case loop, loopOnItsOwnChannel, channel, connection, batches, decoded, task
        case cancelledCallback, callbackOnClosedChannel, callbackOnClosedConnection
    }

    @Test("nothing unseen is lost to a quorum queue's delivery limit", arguments: Leaving.allCases)
    func quorum(_ leaving: Leaving) async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue(), arguments: ["x-queue-type": "quorum"])
            try await channel.selectConfirms()
            for number in 0..<Self.count {
                try await channel.defaultExchange.publishConfirmed(Message("\(number)"), routingKey: queue.name)
            }
            var seen: Set<String> = []
            // One each time, as long as there are any.
            for _ in 0..<Self.count {
                guard let text = try await Self.takeOne(of: queue.name, leaving) else { break }
                seen.insert(text)
            }
            let version = try BrokerVersion(of: connection)
            if version >= .v4_0, version < .v4_3 {
                #expect(seen.count > 20, "each can be returned twenty times")
            } else {
                #expect(seen.count == Self.count)
            }
        }
    }

    /// How messages come that nobody sees.
    enum Unseen: CaseIterable {
        case unfinishedBatch, abandonedGet, abandonedConsume, tooLarge, closedConnection
    }

    @Test("nor what comes for whoever is gone, again and again", .needsBroker(.v4_3), arguments: Unseen.allCases)
    func unseen(_ unseen: Unseen) async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue(), arguments: ["x-queue-type": "quorum"])
            try await channel.selectConfirms()
            for _ in 0..<20 {
                try await channel.defaultExchange.publishConfirmed(Message(body: [1]), routingKey: queue.name)
            }
            if unseen == .tooLarge {
                let large = Message(body: [UInt8](repeating: 0, count: 2000))
                try await channel.defaultExchange.publishConfirmed(large, routingKey: queue.name)
            }
            // The one that is too large is seen, and returned twenty times at the most.
            for _ in 0..<(unseen == .tooLarge ? 20 : 25) { try await Self.leave(unseen, queue.name) }
            let count = unseen == .tooLarge ? 21 : 20
            try await eventually("all are there") { try await queue.readyCount() == count }
            for _ in 0..<count {
                let message = try await queue.next()
                #expect(message.deliveryCount == nil || message.body.count > 1)
            }
        }
    }

    private static func leave(_ unseen: Unseen, _ name: String) async throws {
        var configuration = try TestBroker.configuration
        if unseen == .tooLarge { configuration.maxMessageSize = 1000 }
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.setQos(prefetchCount: 100)
            let queue = try channel.queue(name)
            switch unseen {
            case .unfinishedBatch:
                let batches = try await queue.consume().batches(count: 1000, within: .seconds(60))
                let task = Task { for try await _ in batches {} }
                try await eventually("all have come") { try await queue.readyCount() == 0 }
                await channel.close()
                _ = await task.result
            case .abandonedGet:
                let task = Task { try await queue.get() }
                task.cancel()
                // It may have been faster.
                if case .success(let message?) = await task.result { try message.nack() }
            case .abandonedConsume:
                let task = Task { try await queue.consume() }
                task.cancel()
                _ = await task.result
            case .tooLarge:
                let deliveries = try await queue.consume()
                #expect(try await channel.closed.code == .contentTooLarge)
                withExtendedLifetime(deliveries) {}
            case .closedConnection:
                let deliveries = try await queue.consume()
                try await eventually("all have come") { try await queue.readyCount() == 0 }
                await connection.close()
                withExtendedLifetime(deliveries) {}
            }
        }
    }

    /// Takes one message and acknowledges it, while others wait behind it; nil if the queue is empty.
    private static func takeOne(of queue: String, _ leaving: Leaving) async throws -> String? {
        try await TestBroker.withChannel { connection, channel in
            try await channel.setQos(prefetchCount: 100)
            let queue = try channel.queue(queue)
            do {
                try await eventually("something is there", within: .seconds(3)) { try await queue.readyCount() > 0 }
            } catch is ConditionTimeout {
                return nil
            }
            switch leaving {
            case .loop:
                for try await message in try await queue.consume() { return try message.taken() }
            case .loopOnItsOwnChannel:
                let own = try await connection.openChannel()
                try await own.setQos(prefetchCount: 100)
                for try await message in try await own.queue(queue.name).consume() { return try message.taken() }
            case .channel, .connection:
                let deliveries = try await queue.consume()
                var messages = deliveries.makeAsyncIterator()
                let text = try await messages.next()?.taken()
                if leaving == .channel { await channel.close() } else { await connection.close() }
                return text
            case .batches:
                for try await batch in try await queue.consume().batches(count: 1, within: .seconds(1)) {
                    return try batch.first?.taken()
                }
            case .decoded:
                for try await message in try await queue.messages(of: Int.self) { return try message.message.taken() }
            case .task:
                let (texts, continuation) = AsyncStream.makeStream(of: String.self)
                let task = Task {
                    for try await message in try await queue.consume() {
                        continuation.yield(try message.taken())
                        try await Task.sleep(for: .seconds(60))
                    }
                }
                let text = await texts.first { _ in true }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                return text
            case .cancelledCallback, .callbackOnClosedChannel, .callbackOnClosedConnection:
                let (texts, continuation) = AsyncStream.makeStream(of: String.self)
                let (gate, opening) = AsyncStream.makeStream(of: Void.self)
                let consumer = try await queue.consume { message in
                    continuation.yield(try message.taken())
                    for await _ in gate {}
                }
                defer { opening.finish() }
                let text = await texts.first { _ in true }
                switch leaving {
                case .cancelledCallback: try await consumer.cancel()
                case .callbackOnClosedChannel: await channel.close()
                default: await connection.close()
                }
                return text
            }
            return nil
        }
    }
}

extension IncomingMessage {
    /// Acknowledges it.
    fileprivate func taken() throws -> String {
        try ack()
        return try text()
    }
}

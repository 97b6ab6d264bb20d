import RabbitMQ
import TestSupport
import Testing

@Suite("What RabbitMQ 4.3 adds to quorum queues")
struct DelayedRetryTests {
    /// One delivery of a message that comes back again and again.
    private struct Delivery {
        var wait: Duration
        var deliveryCount: Int?
        var acquiredCount: Int?
        var redelivered: Bool
    }

    private enum GiveBack {
        case nack, reject
    }

    /// Publishes a message, gives it back as often as it is said, and tells how it came each time.
    private func retry(
        _ type: QueueArguments.DelayedRetryType,
        max: Duration? = nil,
        times: Int = 3,
        by giveBack: GiveBack
    ) async throws -> [Delivery] {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(
                scratch.queue("retry"),
                arguments: QueueArguments(
                    type: .quorum,
                    delayedRetryType: type,
                    delayedRetryMin: .milliseconds(300),
                    delayedRetryMax: max
                )
            )
            try await channel.setQos(prefetchCount: 1)
            try await channel.send("again", to: queue.name)
            let name = queue.name
            return try await within(.seconds(30), "the deliveries of \(name)") {
                var deliveries: [Delivery] = []
                var since = ContinuousClock.now
                for try await message in try await queue.consume() {
                    deliveries.append(
                        Delivery(
                            wait: .now - since,
                            deliveryCount: message.deliveryCount,
                            acquiredCount: message.acquiredCount,
                            redelivered: message.redelivered
                        )
                    )
                    if deliveries.count > times {
                        try message.ack()
                        break
                    }
                    since = .now
                    switch giveBack {
                    case .nack: try message.nack()
                    case .reject: try message.reject()
                    }
                }
                return deliveries
            }
        }
    }

    @Test("what is given back waits as long each time where all or returned ones wait", .needsBroker(.v4_3))
    func returned() async throws {
        for type in [QueueArguments.DelayedRetryType.all, .returned] {
            let deliveries = try await retry(type, max: .seconds(5), by: .nack)
            // It is a matter of the broker's clock: never earlier, and how much later depends on the machine.
            #expect(deliveries.dropFirst().allSatisfy { $0.wait >= .milliseconds(295) }, "\(type): \(deliveries)")
            #expect(deliveries.map(\.acquiredCount) == [nil, 1, 2, 3])
            #expect(deliveries.map(\.deliveryCount) == [nil, nil, nil, nil])
            #expect(deliveries.map(\.redelivered) == [false, true, true, true])
        }
    }

    @Test("what failed waits longer each time, up to the longest wait", .needsBroker(.v4_3))
    func failed() async throws {
        for type in [QueueArguments.DelayedRetryType.all, .failed] {
            let deliveries = try await retry(type, max: .milliseconds(500), by: .reject)
            let waits = deliveries.map(\.wait)
            #expect(waits[1] >= .milliseconds(295), "\(type): \(deliveries)")
            #expect(waits[2] >= .milliseconds(495) && waits[3] >= .milliseconds(495), "\(type): \(deliveries)")
            #expect(deliveries.map(\.acquiredCount) == [nil, 1, 2, 3])
            #expect(deliveries.map(\.deliveryCount) == [nil, 1, 2, 3])
        }
    }

    @Test("only those wait that are told to", .needsBroker(.v4_3))
    func others() async throws {
        for (type, giveBack) in [
            (.failed, .nack), (.returned, .reject), (.disabled, .nack),
        ] as [(QueueArguments.DelayedRetryType, GiveBack)] {
            let deliveries = try await retry(type, times: 10, by: giveBack)
            // All ten would have waited for 300 ms each; a busy machine may hold up a few.
            let waited = deliveries.dropFirst().filter { $0.wait >= .milliseconds(300) }
            #expect(waited.count < 10, "\(type): \(deliveries)")
        }
    }

    @Test("a broker that doesn't know delayed retries takes the arguments, and the log says that nothing waits")
    func olderBroker() async throws {
        let version = try await BrokerVersion.current
        let log = CapturedLog()
        try await Connection.withConnection(try TestBroker.configuration(log: log)) { connection in
            try await connection.withChannel { channel in
                let queue = try await channel.declareQueue(
                    TestBroker.uniqueName("retry"),
                    arguments: QueueArguments(
                        type: .quorum,
                        delayedRetryType: .all,
                        delayedRetryMin: .seconds(1),
                        consumerDisconnectedTimeout: .seconds(30)
                    )
                )
                try await queue.delete(ifUnused: false, ifEmpty: false)
            }
        }
        let ignored = log.entries(containing: "is ignored: it came with RabbitMQ 4.3")
        #expect(ignored.count == (version < .v4_3 ? 3 : 0), "\(ignored)")
    }

    @Test(
        "a quorum queue delivers by priority, from 31 down; without one, a message is as one of 4",
        .needsBroker(.v4_3)
    )
    func priorities() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(
                scratch.queue("priorities"),
                arguments: QueueArguments(type: .quorum)
            )
            let order: [UInt8?] = [3, nil, 0, 31, 5, 30, 200, 4, 17]
            try await channel.selectConfirms()
            for priority in order {
                let message = try Message("\(priority.map(String.init) ?? "none")", priority: priority)
                try await channel.defaultExchange.publish(message, routingKey: queue.name).confirmed()
            }
            var texts: [String] = []
            while let message = try await queue.get(noAck: true) { texts.append(try message.text()) }
            #expect(texts == ["31", "200", "30", "17", "5", "none", "4", "3", "0"])
        }
    }

    @Test("a quorum queue takes no greatest priority, which is told before the broker closes the channel for it")
    func maxPriority() async throws {
        try await Scratch.use { scratch, _, channel in
            let name = scratch.queue("priorities")
            let error = await expectError(.invalidArgument) {
                try await channel.declareQueue(name, arguments: QueueArguments(type: .quorum, maxPriority: 31))
            }
            #expect(error?.message.contains("has its priorities without an argument") == true)
            #expect(channel.closeReason == nil)
            // As the broker says it, to one who asks it all the same.
            let refused = await expectError(.preconditionFailed) {
                let arguments = QueueArguments(custom: ["x-queue-type": "quorum", "x-max-priority": 31])
                try await channel.declareQueue(name, arguments: arguments)
            }
            #expect(refused?.replyText?.contains("x-max-priority") == true)
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

/// Policies that an operator sets, changes and takes away while messages flow.
extension BrokerEndsTests {
    private static func setPolicy(_ definition: String, for queue: Queue, on broker: OwnBroker) async throws {
        try await broker.rabbitmqctl("set_policy", "--apply-to", "queues", queue.name, "^\(queue.name)$", definition)
    }

    private static func isNacked(_ receipt: PublishReceipt) -> Bool {
        if case .failure(let error)? = receipt.outcome { return error.code == .nacked }
        return false
    }

    private static func isConfirmed(_ receipt: PublishReceipt) -> Bool {
        if case .success? = receipt.outcome { return true }
        return false
    }

    @Test func `a limit that comes and goes under load: what is over it is refused, and nothing else`() async throws {
        let broker = try broker()
        try await Connection.withConnection(try await broker.configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            // Not by the policy: RabbitMQ looks at a new limit first, and drops what is over it while it still believes that
            // it may.
            let queue = try await channel.declareQueue(
                TestBroker.uniqueName("policy"),
                arguments: QueueArguments(overflow: .rejectPublish)
            )
            let load = Load(channel, to: channel.defaultExchange, key: queue.name)
            try await load.flows()
            try await Self.setPolicy(#"{"max-length": 50}"#, for: queue, on: broker)
            try await eventually("some are refused") { load.receipts.all.contains(where: Self.isNacked) }
            try await broker.rabbitmqctl("clear_policy", queue.name)
            let before = load.receipts.count
            try await eventually("they are taken again") {
                load.receipts.all.dropFirst(before).contains(where: Self.isConfirmed)
            }
            let (confirmed, failed) = try await load.outcomes()
            #expect(failed == ["\(AMQPError.Code.nacked)"])
            #expect(load.errors.all.isEmpty && channel.isOpen)
            try await eventually("all that was confirmed is there") { try await queue.readyCount() == confirmed }
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `a limit that drops what is oldest under load: the rest of what was confirmed is dead-lettered`()
        async throws
    {
        let broker = try broker()
        try await Connection.withConnection(try await broker.configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let dead = try await channel.declareQueue(TestBroker.uniqueName("dead"))
            let queue = try await channel.declareQueue(TestBroker.uniqueName("policy"))
            let load = Load(channel, to: channel.defaultExchange, key: queue.name)
            try await load.flows()
            let letters = #""dead-letter-exchange": "", "dead-letter-routing-key": "\#(dead.name)""#
            // First where to, so that nothing is dropped before that is known.
            try await Self.setPolicy("{\(letters)}", for: queue, on: broker)
            try await Self.setPolicy(#"{"max-length": 20, \#(letters)}"#, for: queue, on: broker)
            try await eventually("some are dead-lettered") { try await dead.readyCount() > 100 }
            let (confirmed, failed) = try await load.outcomes()
            #expect(failed.isEmpty && load.errors.all.isEmpty && channel.isOpen)
            try await eventually("all that was confirmed is somewhere") {
                try await queue.readyCount() + dead.readyCount() == confirmed
            }
            #expect(try await queue.readyCount() <= 20)
            for each in [queue, dead] { _ = try await each.delete(ifUnused: false, ifEmpty: false) }
        }
    }

    @Test func `a time to live that comes under load: each message is consumed or dead-lettered, none both`()
        async throws
    {
        let broker = try broker()
        try await Connection.withConnection(try await broker.configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let dead = try await channel.declareQueue(TestBroker.uniqueName("dead"))
            let queue = try await channel.declareQueue(TestBroker.uniqueName("policy"))
            let consuming = try await connection.openChannel()
            try await consuming.setQos(prefetchCount: 20)
            let acknowledged = Collected<UInt64>()
            let consumer = try await consuming.queue(queue.name).consume { message in
                try message.ack()
                acknowledged.add(message.deliveryTag)
            }
            let load = Load(channel, to: channel.defaultExchange, key: queue.name)
            try await load.flows()
            let letters = #""dead-letter-exchange": "", "dead-letter-routing-key": "\#(dead.name)""#
            try await Self.setPolicy("{\(letters)}", for: queue, on: broker)
            try await Self.setPolicy(#"{"message-ttl": 500, \#(letters)}"#, for: queue, on: broker)
            // Those that were there before never expire, and nothing expires behind them: they are consumed first.
            let before = load.receipts.count
            try await eventually("those that were there before are consumed") { acknowledged.count > before }
            try await consumer.cancel()
            try await eventually("others expire") { try await dead.readyCount() > 100 }
            let (confirmed, failed) = try await load.outcomes()
            #expect(failed.isEmpty && load.errors.all.isEmpty && channel.isOpen && consuming.isOpen)
            try await eventually("the queue is empty") { try await queue.readyCount() == 0 }
            try await eventually("each is one or the other") {
                try await dead.readyCount() + acknowledged.count == confirmed
            }
            for each in [queue, dead] { _ = try await each.delete(ifUnused: false, ifEmpty: false) }
        }
    }
}

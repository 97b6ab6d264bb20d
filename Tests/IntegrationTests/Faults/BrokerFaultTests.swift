import Glibc
import RabbitMQ
import TestSupport
import Testing

/// What befalls a broker, or is done to it, while messages flow.
extension BrokerEndsTests {
    /// Publishers on a confirming channel, who go on until they are stopped or their channel ends.
    struct Load {
        let channel: Channel
        let receipts = Collected<PublishReceipt>()
        let errors = Collected<AMQPError>()
        private let task: Task<Void, Never>

        init(_ channel: Channel, to exchange: Exchange, key: String) {
            self.channel = channel
            task = Task { [receipts, errors] in
                while !Task.isCancelled {
                    do {
                        let message = Message(body: [UInt8](repeating: 1, count: 200), deliveryMode: .persistent)
                        receipts.add(try await exchange.publish(message, routingKey: key))
                        try await Task.sleep(for: .milliseconds(1))
                    } catch let error as AMQPError {
                        errors.add(error)
                        return
                    } catch {
                        return
                    }
                }
            }
        }

        /// Waits until messages flow.
        func flows() async throws { try await eventually("messages flow") { receipts.count > 100 } }

        /// Stops, and waits for the outcome of each message.
        ///
        /// - Returns: How many were confirmed, and the codes of the others.
        func outcomes() async throws -> (confirmed: Int, failed: Set<String>) {
            task.cancel()
            try await within(.seconds(20), "the publisher's end") { [task] in await task.value }
            try await eventually("each message has its outcome") { receipts.all.allSatisfy { $0.outcome != nil } }
            var (confirmed, failed) = (0, Set<String>())
            for outcome in receipts.all.map(\.outcome) {
                switch outcome {
                case .success?: confirmed += 1
                case .failure(let error)?: failed.insert(error.code.description)
                case nil: break
                }
            }
            return (confirmed, failed)
        }
    }

    @Test(arguments: ["memory", "disk"])
    func `publishers wait for the end of an alarm, and lose nothing`(alarm: String) async throws {
        let broker = try broker()
        let configuration = try await broker.configuration
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("alarm"))
            let load = Load(channel, to: channel.defaultExchange, key: queue.name)
            try await load.flows()
            if alarm == "memory" {
                try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
            } else {
                try await broker.rabbitmqctl("set_disk_free_limit", "100000GB")
            }
            do {
                try await eventually("the broker blocks") { connection.blockedReason != nil }
                var hasty = configuration
                hasty.publishTimeout = .milliseconds(300)
                try await Connection.withConnection(hasty) { other in
                    let error = try await thrownError {
                        let channel = try await other.openChannel()
                        while true {
                            _ = try await channel.defaultExchange.publish(Message("x"), routingKey: queue.name)
                        }
                    }
                    #expect(error.code == .blockedTooLong)
                }
            } catch {
                Issue.record(error)
            }
            try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.9")
            try await broker.rabbitmqctl("set_disk_free_limit", "50MB")
            try await eventually("the broker goes on", within: .seconds(30)) { connection.blockedReason == nil }
            let before = load.receipts.count
            try await eventually("messages flow again") { load.receipts.count > before + 50 }
            let (confirmed, failed) = try await load.outcomes()
            #expect(failed.isEmpty && load.errors.all.isEmpty)
            let left = try await channel.declareQueue(queue.name, passive: true)
            let count = try await left.delete(ifUnused: false, ifEmpty: false)
            // The hasty ones may have got something through before they were told.
            #expect(count >= confirmed)
        }
    }

    @Test func `a queue that is deleted under load: who publishes is told, and the consumer ends`() async throws {
        let broker = try broker()
        try await Connection.withConnection(try await broker.configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("fault"))
            let deliveries = try await queue.consume()
            let consuming = Task { for try await message in deliveries { try message.ack() } }
            let load = Load(channel, to: channel.defaultExchange, key: queue.name)
            try await load.flows()
            try await broker.rabbitmqctl("delete_queue", queue.name)
            let error = try await thrownError { try await consuming.value }
            #expect(error.code == .consumerCancelled)
            let before = load.receipts.count
            try await eventually("more is published") { load.receipts.count > before + 50 }
            let (confirmed, failed) = try await load.outcomes()
            #expect(confirmed > 0)
            #expect(failed == ["\(AMQPError.Code.undeliverable)"])
            #expect(channel.isOpen)
        }
    }

    @Test func `an exchange that is deleted under load: each message has its outcome, and the channel its reason`()
        async throws
    {
        try await Connection.withConnection(try await broker().configuration) { connection in
            let (channel, other) = (try await connection.openChannel(), try await connection.openChannel())
            try await channel.selectConfirms()
            let name = TestBroker.uniqueName("fault")
            let exchange = try await channel.declareExchange(name, type: .fanout)
            try await channel.declareQueue(exclusive: true).bind(to: exchange, routingKey: "")
            let load = Load(channel, to: exchange, key: "")
            try await load.flows()
            try await other.exchange(name, type: .fanout).delete(ifUnused: false)
            try await eventually("the publisher is told") { load.errors.count == 1 }
            #expect(load.errors.all.first?.code == .notFound)
            let (confirmed, failed) = try await load.outcomes()
            #expect(confirmed > 0)
            #expect(failed.isSubset(of: ["\(AMQPError.Code.notFound)", "\(AMQPError.Code.outcomeUnknown)"]))
            #expect(other.isOpen)
        }
    }

    @Test func `permissions that are taken away, and a password that is changed, under load: what needs them ends`()
        async throws
    {
        let broker = try broker()
        try await broker.rabbitmqctl("add_user", "shorn", "before")
        try await broker.rabbitmqctl("set_permissions", "-p", "/", "shorn", ".*", ".*", ".*")
        try await RecoveringClient.run(
            on: broker,
            { $0.credentials = .plain(username: "shorn", password: "before") }
        ) { client in
            let queue = try await client.connection.openChannel().declareQueue(exclusive: true)
            let loaded = try await client.connection.openChannel()
            try await loaded.selectConfirms()
            let load = Load(loaded, to: loaded.defaultExchange, key: queue.name)
            try await load.flows()
            try await broker.rabbitmqctl("clear_permissions", "-p", "/", "shorn")
            let channel = try await client.connection.openChannel()
            try await channel.selectConfirms()
            let error = try await thrownError {
                try await channel.defaultExchange.publishConfirmed(Message("x"), routingKey: queue.name)
            }
            #expect(error.code == .accessRefused)
            try await broker.rabbitmqctl("set_permissions", "-p", "/", "shorn", ".*", ".*", ".*")
            try await broker.rabbitmqctl("change_password", "shorn", "after")
            // The connection that there is goes on; one that is made anew is refused.
            try await queue.publish(Message("x"))
            client.proxy.cut()
            let reason = try await within(.seconds(30), "it gives up") { [connection = client.connection] in
                try await connection.closed
            }
            #expect(reason.error.code == .authenticationFailed)
            // The broker lets a channel go on for which it has looked before, or not: each message has its outcome.
            let (confirmed, failed) = try await load.outcomes()
            #expect(confirmed > 0, "\(failed)")
        }
        try await broker.rabbitmqctl("delete_user", "shorn")
    }

    @Test func `a node that is stopped for more than three heartbeats is left, and found again`() async throws {
        try await expectNothingLost(heartbeat: .seconds(1)) { broker in
            let answer = try await broker.rabbitmqctl("eval", "os:getpid().")
            let pid = try #require(Int32(answer.filter(\.isNumber)))
            #expect(kill(pid, SIGSTOP) == 0)
            do {
                try await Task.sleep(for: .seconds(4))
            } catch {
                kill(pid, SIGCONT)
                throw error
            }
            kill(pid, SIGCONT)
        }
    }
}

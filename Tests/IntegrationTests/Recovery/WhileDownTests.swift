import RabbitMQ
import TestSupport
import Testing

@Suite("What is done while there is no connection", .timeLimit(.minutes(2)))
struct WhileDownTests {
    @Test func `opening a channel, declaring, binding, consuming and publishing wait until it is back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let (exchange, name) = (scratch.exchange(), scratch.queue())
            let seen = Collected<String>()
            let (work, report) = try await client.whileDown {
                let connection = client.connection
                return Task {
                    let exchange = try await channel.declareExchange(exchange, type: .fanout)
                    let queue = try await channel.declareQueue(name)
                    try await queue.bind(to: exchange)
                    try await queue.consume(.noAck) { seen.add(try $0.text()) }
                    let second = try await connection.openChannel()
                    try await second.selectConfirms()
                    try await second.exchange(exchange.name).publishConfirmed(Message("x"), routingKey: "")
                }
            }
            try await within(.seconds(20), "all is done") { try await work.value }
            try await eventually("it came") { seen.all == ["x"] }
            #expect(report.channels == 1 && report.queues == 0)
            // It is remembered as what was declared before.
            let next = try await client.cutAndRecover()
            #expect(next.channels == 1 && next.exchanges == 1 && next.queues == 1 && next.bindings == 1)
            #expect(next.consumers == 1)
        }
    }

    @Test func `a channel that is opened while there is no connection is an ordinary one`() async throws {
        try await RecoveringClient.run { client in
            let (opening, _) = try await client.whileDown {
                let connection = client.connection
                return Task { try await connection.openChannel() }
            }
            let channel = try await within(.seconds(20), "it is open") { try await opening.value }
            #expect(channel.isOpen && channel.number == 1)
            try await client.cutAndRecover()
            #expect(try await channel.declareQueue(exclusive: true).messageCount == 0)
        }
    }

    @Test func `messages that wait are sent in the order in which they were published`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let (publishing, _) = try await client.whileDown {
                let publishing = Task { for number in 0..<100 { try await queue.publish(Message("\(number)")) } }
                try await eventually("it is still down") {
                    client.connection.health.downFor ?? .zero > .milliseconds(50)
                }
                return publishing
            }
            try await publishing.value
            let looking = try other.queue(queue.name)
            for number in 0..<100 { #expect(try await looking.next().text() == "\(number)") }
        }
    }

    @Test func `calls and messages fail in time if it does not come back`() async throws {
        let configure: (inout ConnectionConfiguration) -> Void = {
            $0.callTimeout = .milliseconds(300)
            $0.publishTimeout = .milliseconds(300)
        }
        try await RecoveringClient.use(configure) { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let connection = client.connection
            try await client.whileDown {
                let codes = [
                    try await thrownError { try await queue.publish(Message("x")) }.code,
                    try await thrownError { try await channel.declareQueue(exclusive: true) }.code,
                    try await thrownError { try await connection.openChannel() }.code,
                    try await thrownError { try await queue.consume() }.code,
                ]
                #expect(codes == [.blockedTooLong, .timedOut, .timedOut, .timedOut])
            }
            try await queue.publish(Message("y"))
            #expect(try await queue.next().text() == "y")
        }
    }

    @Test func `calls and messages fail at once if the policy says so`() async throws {
        try await RecoveringClient.use({ $0.recovery.whileDown = .fail }) { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let connection = client.connection
            try await client.whileDown {
                for call in [
                    { _ = try await queue.publish(Message("x")) },
                    { _ = try await channel.declareQueue(exclusive: true) },
                    { _ = try await connection.openChannel() },
                    { _ = try await queue.consume() },
                ] as [@Sendable () async throws -> Void] {
                    let error = try await thrownError(within: .seconds(2), call)
                    #expect(error.code == .connectionLost)
                }
            }
            try await queue.publish(Message("y"))
            #expect(try await queue.next().text() == "y")
        }
    }

    @Test func `a task that is cancelled while it waits leaves nothing behind`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let name = scratch.queue()
            let connection = client.connection
            try await client.whileDown {
                for call in [
                    { _ = try await queue.publish(Message("x")) },
                    { _ = try await channel.declareQueue(name) },
                    { _ = try await connection.openChannel() },
                    { _ = try await queue.consume { _ in } },
                ] as [@Sendable () async throws -> Void] {
                    let task = Task { try await call() }
                    task.cancel()
                    await #expect(throws: CancellationError.self) {
                        try await within(.seconds(5), "it ends") { try await task.value }
                    }
                }
            }
            #expect(try await !other.hasQueue(name))
            let found = try await other.declareQueue(queue.name, passive: true)
            #expect(found.messageCount == 0 && found.consumerCount == 0)
            try await queue.publish(Message("y"))
            #expect(try await queue.next().text() == "y")
        }
    }

    @Test func `closing a channel while there is no connection keeps it closed`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let consumer = try await queue.consume { _ in }
            let kept = try await client.connection.openChannel()
            let (_, report) = try await client.whileDown {
                try await within(.seconds(5), "it is closed") { await channel.close() }
            }
            #expect(report.channels == 1 && report.consumers == 0)
            #expect(channel.closeReason?.code == .channelClosed && kept.isOpen)
            #expect(try await consumer.ended?.code == .channelClosed)
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 0)
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

/// What happens to a connection.
struct ConnectionFault: Sendable, CustomTestStringConvertible {
    let ending: FaultProxy.Ending
    let frozen: FaultProxy.Direction

    static let all = [
        ConnectionFault(ending: .reset, frozen: .both), ConnectionFault(ending: .close, frozen: .both),
        ConnectionFault(ending: .freeze, frozen: .both), ConnectionFault(ending: .freeze, frozen: .toBroker),
        ConnectionFault(ending: .freeze, frozen: .toClient),
    ]

    var testDescription: String { ending == .freeze ? "frozen \(frozen.rawValue)" : ending.rawValue }

    func strike(_ proxy: FaultProxy) { proxy.end(ending, frozen: frozen) }
}

@Suite("a connection with a fault, in every state", .timeLimit(.minutes(2)))
struct FaultStateTests {
    /// How it may be told that the connection is gone, or does not answer.
    private static let ends: [AMQPError.Code] = [
        .connectionLost, .connectionClosed, .timedOut, .blockedTooLong, .outcomeUnknown,
    ]

    /// Longer than two heartbeats, a deadline and a busy machine.
    private static let limit = Duration.seconds(20)

    private func use(
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (FaultProxy, Connection, Channel, RabbitMQ.Queue) async throws -> Void
    ) async throws {
        try await FaultProxy.run { proxy in
            var configuration = try FaultSession(through: proxy).configuration
            configure(&configuration)
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            try await channel.selectConfirms(maxUnconfirmed: 100)
            let queue = try await channel.declareQueue(exclusive: true)
            try await body(proxy, connection, channel, queue)
            try await within(Self.limit, "close") { await connection.close() }
            _ = try await within(Self.limit, "closed") { try await connection.closed }
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `an idle connection notices, though nobody asks anything of it`(fault: ConnectionFault) async throws {
        try await use { proxy, connection, channel, _ in
            fault.strike(proxy)
            let reason = try await within(Self.limit, "the loss") { try await connection.closed }
            #expect(Self.ends.contains(reason.error.code), "\(reason)")
            try await eventually("both know") { !connection.isOpen && !channel.isOpen }
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `publishers end, and each message has its outcome`(fault: ConnectionFault) async throws {
        try await use { proxy, connection, _, queue in
            let receipts = Collected<PublishReceipt>()
            let publishing = (0..<4).map { _ in
                Task<Void, any Error> {
                    while true {
                        receipts.add(try await queue.publish(Message(body: [UInt8](repeating: 1, count: 500))))
                    }
                }
            }
            try await eventually("messages flow") { receipts.all.count > 200 }
            fault.strike(proxy)
            for task in publishing {
                let error = try await thrownError(within: Self.limit) { try await task.value }
                #expect(Self.ends.contains(error.code), "\(error)")
            }
            _ = try await within(Self.limit, "the loss") { try await connection.closed }
            try await eventually("each has its outcome") { receipts.all.allSatisfy { $0.outcome != nil } }
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `who waits for confirms or in a call hears of it`(fault: ConnectionFault) async throws {
        try await use { proxy, connection, channel, queue in
            proxy.end(.freeze, frozen: .toClient)
            let receipts = try await queue.channel.defaultExchange.publish(
                contentsOf: (0..<10).map { _ in Message(body: [1]) },
                routingKey: queue.name
            )
            let waiting = receipts.map { receipt in Task { try await receipt.confirmed() } }
            let call = Task { try await channel.declareQueue(exclusive: true) }
            let other = Task { try await connection.openChannel() }
            fault.strike(proxy)
            // What came through before is an answer too: that each wait ends counts.
            for task in waiting { try await expectEnd("a confirm") { try await task.value } }
            try await expectEnd("a call") { _ = try await call.value }
            try await expectEnd("openChannel") { _ = try await other.value }
        }
    }

    private func expectEnd(_ what: String, _ wait: @escaping @Sendable () async throws -> Void) async throws {
        do {
            try await within(Self.limit, what, wait)
        } catch let error as AMQPError {
            #expect(Self.ends.contains(error.code), "\(error)")
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `a consumer ends amid deliveries, and settles nothing any more`(fault: ConnectionFault) async throws {
        try await use { proxy, _, channel, queue in
            for _ in 0..<20 { try await queue.publish(Message(body: [UInt8](repeating: 1, count: 20_000))) }
            try await channel.waitForConfirms()
            try await channel.setQos(prefetchCount: 5)
            let deliveries = try await queue.consume()
            let consuming = Task {
                var last: IncomingMessage?
                do {
                    for try await message in deliveries {
                        if last == nil { fault.strike(proxy) }
                        try? message.ack()
                        last = message
                    }
                } catch let error as AMQPError {
                    return (last, Optional(error))
                }
                return (last, nil)
            }
            let (last, error) = try await within(Self.limit, "the consumer's end") { try await consuming.value }
            #expect(error.map { Self.ends.contains($0.code) } == true, "\(String(describing: error))")
            let message = try #require(last)
            #expect(throws: AMQPError.self) { try message.ack() }
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `closing ends in time`(fault: ConnectionFault) async throws {
        try await use { proxy, connection, channel, queue in
            for _ in 0..<50 { try await queue.publish(Message(body: [1])) }
            fault.strike(proxy)
            async let closesChannel: Void = channel.close()
            try await within(Self.limit, "close") { await connection.close() }
            await closesChannel
            #expect(!connection.isOpen)
        }
    }

    @Test(arguments: ConnectionFault.all)
    func `a recovery that meets the fault again and again ends when it is told to`(fault: ConnectionFault) async throws
    {
        try await use {
            $0.recovery = RecoveryPolicy()
            $0.recovery.backOff = .milliseconds(20)
        } _: { proxy, connection, channel, queue in
            // Each try gets a little further than the handshake, or not even there.
            proxy.follow(FaultProxy.Plan(bytes: 600, fault.ending, frozen: fault.frozen))
            proxy.end(.reset)
            try await eventually("it tries") { proxy.accepted > 1 }
            let error = try await thrownError(within: Self.limit) { () async throws -> Void in
                while true { try await queue.publish(Message(body: [1])) }
            }
            #expect(Self.ends.contains(error.code), "\(error)")
            let call = try await thrownError(within: Self.limit) { try await channel.setQos(prefetchCount: 3) }
            #expect(Self.ends.contains(call.code), "\(call)")
            try await within(Self.limit, "close") { await connection.close() }
        }
    }
}

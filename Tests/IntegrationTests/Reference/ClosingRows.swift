import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: closing a connection", .timeLimit(.minutes(1)))
struct ClosingRows {
    @Test("row 6: close is idempotent, from many tasks at once too, and ends calls that wait")
    func idempotent() async throws {
        let connection = try await Connection.connect(TestBroker.configuration)
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true)
        let deliveries = try await queue.consume()
        let consuming = Task { for try await _ in deliveries {} }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { await connection.close() } }
        }
        await connection.close()
        #expect(connection.closeReason?.kind == .closedByApplication)
        await expectError(.connectionClosed) { try await consuming.value }
        await expectError(.connectionClosed) { try await queue.get() }
        #expect(channel.closeReason?.code == .connectionClosed)
        await channel.close()
    }

    @Test("row 6: pending calls fail when the application closes")
    func pendingCalls() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration(through: proxy)
            configuration.closeTimeout = .milliseconds(300)
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            proxy.pause()
            let calls = (0..<5).map { _ in Task { try await channel.declareQueue(exclusive: true) } }
            let opening = Task { try await connection.openChannel() }
            try await within(.seconds(20), "close returned") { await connection.close() }
            for call in calls { await expectError(.connectionClosed) { try await call.value } }
            await expectError(.connectionClosed) { try await opening.value }
        }
    }

    @Test("row 6: close returns within its timeout when the peer is silent, and at once when the link is cut")
    func neverHangs() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration(through: proxy)
            configuration.closeTimeout = .milliseconds(300)
            let silent = try await Connection.connect(configuration)
            proxy.pause()
            // Nothing but that timeout ends it: there are no heartbeats for a minute.
            try await within(.seconds(20), "close returned") { await silent.close() }
            proxy.resume()

            configuration.closeTimeout = .seconds(60)
            let cut = try await Connection.connect(configuration)
            proxy.pause()
            let closing = Task { await cut.close() }
            proxy.cut()
            proxy.resume()
            try await within(.seconds(20), "close returned") { await closing.value }
        }
    }

    @Test("row 6: a channel's close returns when the peer is silent, and ends its consumers and calls")
    func silentChannelClose() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration(through: proxy)
            configuration.closeTimeout = .milliseconds(300)
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let deliveries = try await queue.consume()
            let consuming = Task { for try await _ in deliveries {} }
            let errors = Collected<AMQPError>()
            let consumer = try await queue.consume(onError: { errors.add($0) }, callback: { _ in })
            proxy.pause()
            let call = Task { try await queue.get() }
            try await within(.seconds(20), "close returned") { await channel.close() }
            _ = try await within(.seconds(20), "the consumer ended") {
                await expectError(.channelClosed) { try await consuming.value }
            }
            await expectError(.channelClosed) { try await call.value }
            try await eventually("the callback consumer was told") { errors.count == 1 }
            try await within(.seconds(20), "cancel returned") { try await consumer.cancel() }
            // Its late answers do no harm.
            proxy.resume()
            #expect(try await connection.answers())
            await connection.close()
        }
    }

    @Test("row 6: both sides closing at once ends it for both")
    func bothAtOnce() async throws {
        for round in 0..<20 {
            let connection = try await Connection.connect(TestBroker.configuration)
            let channel = try await connection.openChannel()
            // The broker closes the connection for this one.
            let call = Task { try await channel.setQos(prefetchSize: 1) }
            if round.isMultiple(of: 2) { await Task.yield() }
            try await within(.seconds(20), "close returned") { await connection.close() }
            await expectError(.connectionClosed) { try await call.value }
            #expect(connection.closeReason != nil)
        }
    }
}

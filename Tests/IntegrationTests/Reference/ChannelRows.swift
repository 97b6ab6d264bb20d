import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: channels", .timeLimit(.minutes(1)))
struct ChannelRows {
    @Test("row 11: setQos limits what is delivered before it is acknowledged")
    func qos() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            try await channel.setQos(prefetchCount: 3)
            try await exchange.publishNumbers(0..<10, to: queue)
            var iterator = try await queue.consume().makeAsyncIterator()
            let first = try #require(try await iterator.next())
            try await connection.waitForMessages(7, in: queue)
            try first.ack()
            try await connection.waitForMessages(6, in: queue)
        }
    }

    @Test("row 11: with global, the limit is for all consumers of the channel together; for each of them from 4.3 on")
    func globalQos() async throws {
        let delivered = try await BrokerVersion.current < .v4_3 ? 4 : 8
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            let other = try await channel.declareQueue(exclusive: true)
            try await channel.setQos(prefetchCount: 4, global: true)
            try await exchange.publishNumbers(0..<10, to: queue)
            try await exchange.publishNumbers(0..<10, to: other)
            let deliveries = [try await queue.consume(), try await other.consume()]
            try await eventually("\(delivered) of twenty are out") {
                let left = try await connection.counts(of: queue).messages + connection.counts(of: other).messages
                return left == 20 - delivered
            }
            for one in deliveries { try await one.consumer.cancel() }
        }
    }

    @Test("row 11: a size limit, which RabbitMQ lacks, is refused by the broker with 540")
    func qosSize() async throws {
        let connection = try await Connection.connect(TestBroker.configuration)
        let channel = try await connection.openChannel()
        let error = await expectError(.connectionClosed) {
            try await channel.setQos(prefetchSize: 1000, prefetchCount: 1)
        }
        #expect(error?.replyCode == .notImplemented)
        let cause = error?.underlying as? AMQPError
        #expect(cause?.code == .notImplemented)
        await connection.close()
    }

    @Test("row 13: close is idempotent, frees the number, and later calls throw that the channel is closed")
    func close() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<5 { group.addTask { await channel.close() } }
            }
            await channel.close()
            #expect(channel.closeReason?.code == .channelClosed)
            await expectError(.channelClosed) { try await channel.declareQueue(exclusive: true) }
            await expectError(.channelClosed) { try await channel.setQos(prefetchCount: 1) }
            await expectError(.channelClosed) { try await queue.get() }
            await expectError(.channelClosed) { try await queue.consume() }
            await expectError(.channelClosed) {
                try await exchange.publish(Message(body: []), routingKey: queue.name)
            }
            await expectError(.channelClosed) {
                try await channel.declareQueue(TestBroker.uniqueName("nowait"), noWait: true)
            }
            #expect(try await connection.openChannel().number == channel.number)
        }
    }

    @Test("row 13: frames that come after close was sent are discarded")
    func lateFrames() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<5000, to: queue)
            for _ in 0..<20 {
                let channel = try await connection.openChannel()
                let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                // With no prefetch all 5,000 are on their way when close is sent.
                let deliveries = try await same.consume()
                let calls = (0..<3).map { _ in Task { try await same.get() } }
                await channel.close()
                await expectError(.channelClosed) { for try await _ in deliveries {} }
                for call in calls { _ = await call.result }
            }
            #expect(try await connection.answers())
            try await connection.waitForMessages(5000, in: queue)
        }
    }

    @Test("row 13: pending calls throw that the channel is closed")
    func closeWithPendingCalls() async throws {
        try await TCPProxy.run { proxy in
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
            let channel = try await connection.openChannel()
            proxy.pause()
            let calls = (0..<5).map { _ in Task { try await channel.declareQueue(exclusive: true) } }
            let closing = Task { await channel.close() }
            for call in calls { await expectError(.channelClosed) { try await call.value } }
            proxy.resume()
            try await within(.seconds(20), "close returned") { await closing.value }
            #expect(try await connection.answers())
            await connection.close()
        }
    }

    @Test("row 13: publishers that wait for room throw at once when their channel is closed, and others go on")
    func closeWithWaitingPublishers() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration(through: proxy)
            configuration.closeTimeout = .milliseconds(300)
            configuration.publishTimeout = .seconds(300)
            let connection = try await Connection.connect(configuration)
            let closed = try await connection.openChannel()
            let open = try await connection.openChannel()
            proxy.pause()
            // Far more than the sockets take.
            let began = Collected<Int>()
            let message = Message(body: Array(repeating: 0, count: 4 << 20))
            func publish(_ channel: Channel) async throws -> Task<Void, any Error> {
                let exchange = try await channel.declareExchange("")
                return Task {
                    began.add(1)
                    for _ in 0..<3 { try await exchange.publish(message, routingKey: "nowhere", mandatory: false) }
                }
            }
            var ending: [Task<Void, any Error>] = []
            var lasting: [Task<Void, any Error>] = []
            for _ in 0..<5 {
                ending.append(try await publish(closed))
                lasting.append(try await publish(open))
            }
            try await eventually("all publish") { began.count == 10 }
            await closed.close()
            for task in ending { await expectError(.channelClosed) { try await task.value } }
            proxy.resume()
            for task in lasting { try await task.value }
            #expect(try await connection.answers())
            await connection.close()
        }
    }
}

@Suite("Reference: callers that are cancelled", .timeLimit(.minutes(1)))
struct CancellationRows {
    @Test("row 15: a caller that is cancelled while it waits leaves the channel in step")
    func staysInStep() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            for round in 0..<100 {
                try await exchange.publishNumbers(round..<(round + 1), to: queue)
                let calls = [
                    Task { _ = try await queue.purge() },
                    Task { _ = try await channel.declareQueue(exclusive: true) },
                    Task { _ = try await channel.setQos(prefetchCount: 1) },
                ]
                if round.isMultiple(of: 3) { await Task.yield() }
                for call in calls { call.cancel() }
                let own = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                #expect(own.name == queue.name)
                for call in calls {
                    do {
                        try await call.value
                    } catch is CancellationError {}
                }
            }
        }
    }

    @Test("row 15: calls behind a consume or a cancel get their own answers, which RabbitMQ gives before those two's")
    func overtakingAnswers() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            for round in 0..<100 {
                async let deliveries = queue.consume()
                async let declared = channel.declareQueue(queue.name, exclusive: true, passive: true)
                async let purged = queue.purge()
                #expect(try await declared.name == queue.name)
                _ = try await purged
                try await exchange.publishNumbers(round..<(round + 1), to: queue)
                for try await message in try await deliveries {
                    #expect(message.number == round)
                    try message.ack()
                    // Cancels, and does not wait for the answer.
                    break
                }
                let other = try await channel.declareQueue(exclusive: true)
                #expect(try await other.delete() == 0)
            }
        }
    }

    @Test("row 15: a message that nobody waits for any more goes back to its queue")
    func getCancelled() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<1, to: queue)
            try await connection.waitForMessages(1, in: queue)
            var gotten = 0
            for round in 0..<100 {
                let call = Task { try await queue.get() }
                if round.isMultiple(of: 2) { await Task.yield() }
                call.cancel()
                do {
                    if let message = try await call.value {
                        gotten += 1
                        try message.reject()
                    }
                } catch is CancellationError {}
            }
            try await connection.waitForMessages(1, in: queue)
            let message = try await queue.get()
            #expect(message?.number == 0)
            #expect(gotten < 100)
        }
    }

    @Test("row 15: a task that is cancelled already gets no channel, no consumer and no connection")
    func cancelledAlready() async throws {
        try await TestBroker.withQueue { connection, channel, queue, _ in
            let configuration = try TestBroker.configuration
            let calls: [@Sendable () async throws -> Void] = [
                { _ = try await connection.openChannel() },
                { _ = try await queue.consume() },
                { _ = try await queue.consume(callback: { _ in }) },
                { _ = try await Connection.connect(configuration) },
            ]
            for call in calls {
                let task = Task {
                    while !Task.isCancelled { await Task.yield() }
                    try await call()
                }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            try await eventually("no consumer is left") { try await connection.counts(of: queue).consumers == 0 }
            let next = try await connection.openChannel()
            #expect(next.number <= 3)
        }
    }
}

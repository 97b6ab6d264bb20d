import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: a connection that is lost", .timeLimit(.minutes(1)))
struct LostConnectionRows {
    @Test("row 8: every pending and later call throws it, consumers are told, close and cancel return")
    func lost() async throws {
        try await TCPProxy.run { proxy in
            let log = CapturedLog()
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy, log: log))
            let channel = try await connection.openChannel()
            let other = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let (cancels, errors) = (Collected<Int>(), Collected<AMQPError>())
            var consumers: [Consumer] = []
            for owner in [channel, other] {
                let same = try await owner.declareQueue(queue.name, exclusive: true, passive: true)
                consumers.append(
                    try await same.consume(
                        onCancel: { cancels.add(1) },
                        onError: { errors.add($0) },
                        callback: { _ in }
                    )
                )
            }
            let deliveries = try await queue.consume()
            let loop = Task { for try await _ in deliveries {} }

            proxy.pause()
            let calls: [Task<Void, any Error>] = [
                Task { _ = try await queue.get() },
                Task { _ = try await channel.declareQueue(exclusive: true) },
                Task { _ = try await other.setQos(prefetchCount: 1) },
                Task { _ = try await connection.openChannel() },
                Task { _ = try await deliveries.consumer.cancel() },
                Task { await other.close() },
            ]
            // Closed by then, or lost by then.
            proxy.cut()
            for (index, call) in calls.enumerated() {
                let result = await call.result
                if index < 2 { await expectError(.connectionLost) { try result.get() } }
            }
            proxy.resume()
            do { try await loop.value } catch AMQPError.Code.connectionLost {}
            try await eventually("both consumers were told") { errors.count + cancels.count == 2 }
            #expect(errors.all.contains { $0.code == .connectionLost })

            await expectError(.connectionLost) { try await queue.get() }
            await expectError(.connectionLost) { try await channel.declareQueue(exclusive: true) }
            await expectError(.connectionLost) { try await connection.openChannel() }
            await expectError(.connectionLost) { try await exchange.publish(Message(body: []), routingKey: "x") }
            #expect(channel.closeReason?.code == .connectionLost)
            #expect(try await connection.closed.kind == .lost)
            #expect(connection.closeReason?.error.isConnectionFatal == true)
            for consumer in consumers { try await consumer.cancel() }
            await channel.close()
            await other.close()
            await connection.close()
            // It is said last: no connection waits for a log.
            try await eventually("its end is logged") { !log.entries(containing: "connection ended").isEmpty }
            #expect(log.entries(containing: "connection ended").count == 1)
        }
    }

    @Test("row 8: publishers that wait for room throw it too")
    func publishers() async throws {
        try await TCPProxy.run { proxy in
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
            let channel = try await connection.openChannel()
            let exchange = try await channel.declareExchange("")
            proxy.pause()
            let published = Collected<Int>()
            let publishers = (0..<20).map { _ in
                Task {
                    while true {
                        try await exchange.publish(
                            Message(body: Array(repeating: 0, count: 500_000)),
                            routingKey: "x",
                            mandatory: false
                        )
                        published.add(1)
                    }
                }
            }
            try await eventually("the socket is full and everybody waits", within: .seconds(30)) {
                let before = published.count
                // Some round trips of another connection later nobody has got further.
                let other = try await Connection.connect(TestBroker.configuration)
                for _ in 0..<10 { _ = try await other.answers() }
                await other.close()
                return before > 0 && published.count == before
            }
            proxy.cut()
            for publisher in publishers { await expectError(.connectionLost) { try await publisher.value } }
        }
    }

    @Test("row 8: a broker that resets many connections ends each once, with none left hanging")
    func many() async throws {
        try await TCPProxy.run { proxy in
            let configuration = try TestBroker.configuration(through: proxy)
            let errors = Collected<AMQPError>()
            var connections: [Connection] = []
            for _ in 0..<30 { connections.append(try await Connection.connect(configuration) { errors.add($0) }) }
            let calls = connections.map { connection in
                Task { while true { _ = try await connection.answers() } }
            }
            proxy.cut()
            for call in calls {
                let result = await call.result
                #expect { try result.get() } throws: {
                    AMQPError.Code.connectionLost ~= $0 || AMQPError.Code.channelClosed ~= $0
                }
            }
            for connection in connections { #expect(try await connection.closed.kind == .lost) }
            try await eventually("each handler was called") { errors.count == 30 }
            #expect(errors.count == 30)
        }
    }

    @Test("row 36: the reconnecting example's way works: connect again when the connection is lost")
    func reconnecting() async throws {
        let channelName = TestBroker.uniqueName("reconnecting")
        try await TCPProxy.run { proxy in
            let configuration = try TestBroker.configuration(through: proxy)
            var seen = Set<Int>()
            var connects = 0
            while seen.count < 40 {
                // A cut may come late, and meet the next connection while it is made.
                do {
                    let connection = try await Connection.connect(configuration)
                    connects += 1
                    let channel = try await connection.openChannel()
                    try await channel.setQos(prefetchCount: 5)
                    let queue = try await channel.declareQueue(channelName)
                    if connects == 1 {
                        try await channel.declareExchange("").publishNumbers(0..<40, to: queue)
                    }
                    for try await message in try await queue.consume() {
                        if let number = message.number { seen.insert(number) }
                        try message.ack()
                        if seen.count == 40 { break }
                        if seen.count.isMultiple(of: 10), connects < 4 { proxy.cut() }
                    }
                    if seen.count == 40 { try await queue.delete(ifUnused: false, ifEmpty: false) }
                    await connection.close()
                } catch AMQPError.Code.connectionLost {
                } catch AMQPError.Code.staleDelivery {
                }
            }
            #expect(seen == Set(0..<40))
            #expect(connects > 1)
        }
    }
}

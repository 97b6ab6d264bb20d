import RabbitMQ
import TestSupport
import Testing

@Suite("RPC clients", .timeLimit(.minutes(5)))
struct RPCClientTests {
    @Test("5,000 calls at a time get their own replies")
    func manyInFlight() async throws {
        let count = 5000
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await connection.withRPCClient(routingKey: queue.name, timeout: .seconds(120)) { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<count {
                        group.addTask {
                            let reply = try await client.call(Message("\(number)", correlationID: "mine \(number)"))
                            return try reply.text() == "answer to \(number)" && reply.correlationID == "mine \(number)"
                        }
                    }
                    try await eventually("all calls wait", within: .seconds(60)) { client.pendingCount == count }
                    let server = try await queue.serveMessages(maxConcurrency: 200) { request in
                        try Message("answer to \(request.text())")
                    }
                    for try await isRight in group { #expect(isRight) }
                    #expect(client.pendingCount == 0)
                    await server.stop()
                }
            }
        }
    }

    @Test("calls that are cancelled stop waiting; the others get their replies, and late ones are dropped")
    func cancellation() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await connection.withRPCClient(routingKey: queue.name, timeout: .seconds(120)) { client in
                let calls = (0..<400).map { number in Task { try await client.call(Message("\(number)")).text() } }
                try await eventually("all calls wait", within: .seconds(60)) { client.pendingCount == 400 }
                for number in stride(from: 0, to: 400, by: 2) { calls[number].cancel() }
                try await eventually("half of the calls wait") { client.pendingCount == 200 }
                try await queue.serveMessages { Message(body: $0.body) }
                for (number, call) in calls.enumerated() {
                    if number.isMultiple(of: 2) {
                        await #expect(throws: CancellationError.self) { try await call.value }
                    } else {
                        let text = try await call.value
                        #expect(text == "\(number)")
                    }
                }
                // It goes on.
                let more = try await client.call(Message("more")).text()
                #expect(more == "more")
            }
        }
    }

    @Test("a call ends at its deadline, and its request dies in the queue")
    func deadline() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await connection.withRPCClient(routingKey: queue.name) { client in
                let start = ContinuousClock.now
                await #expect {
                    try await client.call(Message("too late"), timeout: .milliseconds(300))
                } throws: { ($0 as? AMQPError)?.code == .timedOut }
                #expect(ContinuousClock.now - start >= .milliseconds(300))
                await #expect {
                    try await client.call(Message("much too late"), timeout: .zero)
                } throws: { ($0 as? AMQPError)?.code == .blockedTooLong }
                // The broker's time for it begins when it has come there.
                try await eventually("the request is dead") {
                    try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount == 0
                }
                let seen = Collected<String>()
                let server = try await queue.serveMessages { request in
                    seen.add(try request.text())
                    return try Message("in time")
                }
                let reply = try await client.call(Message("in time"), timeout: .seconds(60)).text()
                #expect(reply == "in time")
                #expect(seen.all == ["in time"])
                #expect(client.pendingCount == 0)
                await server.stop()
            }
        }
    }

    @Test("a request carries its deadline, its replies' address and nothing of the caller's")
    func request() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await connection.withRPCClient(routingKey: queue.name) { client in
                let call = Task {
                    try await client.call(Message("x", replyTo: "elsewhere", expiration: "5"), timeout: .seconds(60))
                }
                var request: IncomingMessage?
                try await eventually("the request") {
                    request = try await queue.get()
                    return request != nil
                }
                #expect(request?.expiration == "60000")
                #expect(request?.replyTo?.hasPrefix("amq.rabbitmq.reply-to.") == true)
                call.cancel()
                try request?.ack()
            }
        }
    }

    @Test("a request that reaches no queue fails at once, and alone")
    func unroutable() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.serveMessages { Message(body: $0.body) }
            try await connection.withRPCClient(routingKey: queue.name, timeout: .seconds(120)) { client in
                let missing = TestBroker.uniqueName("missing")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<100 {
                        group.addTask {
                            guard number.isMultiple(of: 2) else {
                                let text = try await client.call(Message("\(number)")).text()
                                #expect(text == "\(number)")
                                return
                            }
                            await #expect {
                                try await client.call(Message("\(number)"), routingKey: missing)
                            } throws: { error in
                                let error = error as? AMQPError
                                return error?.code == .undeliverable && error?.returned?.routingKey == missing
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("a missing exchange closes the client's channel, and all calls fail with the reason")
    func channelLoss() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange(TestBroker.uniqueName("rpc"), autoDelete: true)
            try await queue.bind(to: exchange, routingKey: "work")
            let client = try await connection.openRPCClient(exchange: exchange.name, routingKey: "work")
            let waiting = (0..<10).map { _ in Task { try await client.call(Message("x")) } }
            try await eventually("the calls wait") { client.pendingCount == 10 }
            try await exchange.delete(ifUnused: false)
            await #expect {
                try await client.call(Message("y"))
            } throws: { ($0 as? AMQPError)?.code == .notFound }
            for call in waiting {
                await #expect { try await call.value } throws: { ($0 as? AMQPError)?.code == .notFound }
            }
            await #expect { try await client.call(Message("z")) } throws: { ($0 as? AMQPError)?.code == .notFound }
            #expect(client.closeReason?.code == .notFound)
            #expect(channel.closeReason == nil)
        }
    }

    @Test("closing fails what waits")
    func closing() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let client = try await connection.openRPCClient(routingKey: queue.name)
            let call = Task { try await client.call(Message("x")) }
            try await eventually("the call waits") { client.pendingCount == 1 }
            await client.close()
            await #expect { try await call.value } throws: { ($0 as? AMQPError)?.code == .channelClosed }
            await #expect { try await client.call(Message("x")) } throws: { ($0 as? AMQPError)?.code == .channelClosed }
            await client.close()
        }
    }

    @Test("a lost connection fails all calls with the reason")
    func connectionLoss() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.port = proxy.port
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let client = try await connection.openRPCClient(routingKey: queue.name)
            let calls = (0..<100).map { _ in Task { try await client.call(Message("x")) } }
            try await eventually("the calls wait") { client.pendingCount == 100 }
            proxy.cut()
            for call in calls {
                await #expect { try await call.value } throws: { ($0 as? AMQPError)?.code == .connectionLost }
            }
        }
    }

    @Test("the deadline counts while the connection takes no more")
    func heldBack() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.port = proxy.port
            configuration.outboundHighWater = 64 * 1024
            configuration.closeTimeout = .milliseconds(100)
            try await Connection.withConnection(configuration) { connection in
                let client = try await connection.openRPCClient(routingKey: "x")
                proxy.pause()
                let large = Message(body: [UInt8](repeating: 0, count: 4 << 20))
                let calls = (0..<16).map { _ in Task { try await client.call(large, timeout: .milliseconds(500)) } }
                let cancelled = Task { try await client.call(large, timeout: .seconds(600)) }
                try await eventually("all calls have timed out", within: .seconds(15)) { client.pendingCount == 1 }
                for call in calls {
                    await #expect { try await call.value } throws: {
                        // The first are on their way, where nobody knows how far they come.
                        ($0 as? AMQPError)?.code == .timedOut || ($0 as? AMQPError)?.code == .blockedTooLong
                    }
                }
                cancelled.cancel()
                await #expect(throws: CancellationError.self) { try await cancelled.value }
                proxy.resume()
            }
        }
    }

    @Test("a client that is held no more closes its channel")
    func released() async throws {
        try await TestBroker.withConnection { connection in
            var client: RPCClient? = try await connection.openRPCClient(routingKey: "x")
            weak let reference = client
            #expect(client?.pendingCount == 0)
            client = nil
            #expect(reference == nil)
            try await eventually("its channel's number is free") { try await connection.openChannel().number == 1 }
        }
    }
}

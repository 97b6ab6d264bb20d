import RabbitMQ
import TestSupport
import Testing

@Suite("RPC servers", .timeLimit(.minutes(5)))
struct RPCServerTests {
    private struct Question: Codable, Sendable {
        var number: Int
    }

    private struct Answer: Codable, Equatable, Sendable {
        var square: Int
    }

    private struct Failure: Error {}

    /// The queue, by way of a connection of its own.
    private func elsewhere(_ queue: Queue) async throws -> Queue {
        let connection = try await Connection.connect(try TestBroker.configuration)
        return try await connection.openChannel().queue(queue.name)
    }

    @Test("typed requests get typed replies, several at a time")
    func typed() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let server = try await queue.serve(maxConcurrency: 8) { (question: Question) in
                Answer(square: question.number * question.number)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let answer = try await client.call(Question(number: number), as: Answer.self)
                        #expect(answer == Answer(square: number * number))
                    }
                }
                try await group.waitForAll()
            }
            await server.stop()
            #expect(try await server.stopped == nil)
        }
    }

    @Test("errors come back typed, with the server's text, and the server goes on")
    func errors() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            try await queue.serve { (question: Question) -> Answer in
                if question.number == 1 { throw RPCFailure("odd", "one is odd") }
                throw Failure()
            }
            await #expect(throws: RPCFailure("odd", "one is odd")) {
                try await client.call(Question(number: 1), as: Answer.self)
            }
            await #expect(throws: RPCFailure(.failed, "Failure()")) {
                try await client.call(Question(number: 2), as: Answer.self)
            }
            await #expect { try await client.call(Message("no JSON")) } throws: { error in
                (error as? RPCFailure)?.code == .invalidRequest
            }
        }
    }

    @Test("what the client gets to know of an error can be chosen")
    func hiddenErrors() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            try await queue.serve(onError: { _ in RPCFailure(.failed, "sorry") }) { (question: Question) -> Answer in
                if question.number == 3 { throw RPCFailure("too-large", "3") }
                throw Failure()
            }
            await #expect(throws: RPCFailure(.failed, "sorry")) {
                try await client.call(Question(number: 2), as: Answer.self)
            }
            // What is meant for the client keeps its code.
            await #expect(throws: RPCFailure("too-large", "3")) {
                try await client.call(Question(number: 3), as: Answer.self)
            }
            await #expect { try await client.call(Message("no JSON")) } throws: { error in
                (error as? RPCFailure)?.code == .invalidRequest
            }
        }
    }

    @Test("a reply that can't be sent becomes an error, and a reply that does not decode one of the client")
    func badReplies() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            var configuration = try TestBroker.configuration
            configuration.maxMessageSize = 1000
            let small = try await Connection.connect(configuration)
            let source = try await small.openChannel().queue(queue.name)
            try await source.serveMessages { request in
                Message(body: [UInt8](repeating: 0, count: try request.text() == "much" ? 2000 : 2))
            }
            await #expect { try await client.call(Message("much")) } throws: { error in
                (error as? RPCFailure)?.code == .invalidReply
            }
            let reply = try await client.call(Message("little"))
            #expect(reply.body == [0, 0])
            await #expect {
                try await client.call(Question(number: 1), as: Answer.self)
            } throws: { ($0 as? AMQPError)?.code == .decodingFailed && !RetryPolicy.isOfDecoding($0) }
            await small.close()
        }
    }

    @Test("when a server dies, another one gets the requests that it had not answered")
    func dyingServer() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let started = Collected<String>()
            let first = try await elsewhere(queue)
            try await first.serveMessages(maxConcurrency: 5) { request in
                started.add(try request.text())
                try await Task.sleep(for: .seconds(600))
                return try Message("never")
            }
            let calls = (0..<10).map { number in Task { try await client.call(Message("\(number)")).text() } }
            try await eventually("five are begun") { started.count == 5 }
            await first.channel.connection.close()
            let redelivered = Collected<Bool>()
            let server = try await queue.serveMessages { request in
                redelivered.add(request.redelivered)
                return Message(body: request.body)
            }
            for (number, call) in calls.enumerated() {
                let text = try await call.value
                #expect(text == "\(number)")
            }
            #expect(redelivered.all.filter { $0 }.count == 5)
            await server.stop()
        }
    }

    @Test("without a server any more, a call ends at its deadline, and the next one at once if the queue is gone")
    func goneServer() async throws {
        try await TestBroker.withConnection { connection in
            let serving = try await Connection.connect(try TestBroker.configuration)
            let queue = try await serving.openChannel().declareQueue(exclusive: true)
            let begun = Collected<Int>()
            try await queue.serveMessages { _ in
                begun.add(1)
                try await Task.sleep(for: .seconds(600))
                return try Message("never")
            }
            try await connection.withRPCClient(routingKey: queue.name) { client in
                let call = Task { try await client.call(Message("x"), timeout: .seconds(2)) }
                try await eventually("it is begun") { begun.count == 1 }
                await serving.close()
                await #expect { try await call.value } throws: { ($0 as? AMQPError)?.code == .timedOut }
                try await eventually("the queue is gone") {
                    do {
                        _ = try await client.call(Message("x"), timeout: .milliseconds(500))
                        return false
                    } catch let error as AMQPError {
                        return error.code == .undeliverable
                    }
                }
            }
        }
    }

    @Test("requests whose deadline passes while the server is busy are never run")
    func staleRequests() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let seen = Collected<String>()
            let gate = Collected<Bool>()
            let server = try await queue.serveMessages(maxConcurrency: 1) { request in
                seen.add(try request.text())
                if seen.count == 1 { try await eventually("the gate opens", within: .seconds(60)) { gate.count > 0 } }
                return try Message("done")
            }
            let first = Task { try await client.call(Message("first")) }
            try await eventually("the server is busy") { seen.count == 1 }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        await #expect {
                            try await client.call(Message("stale"), timeout: .milliseconds(200))
                        } throws: { ($0 as? AMQPError)?.code == .timedOut }
                    }
                }
            }
            try await eventually("the requests are dead") {
                try await queue.channel.declareQueue(queue.name, durable: false, passive: true).messageCount == 0
            }
            gate.add(true)
            _ = try await first.value
            _ = try await client.call(Message("last"))
            #expect(seen.all == ["first", "last"])
            await server.stop()
        }
    }

    @Test("requests that want no reply, or whose address is nonsense, are run and acknowledged")
    func oddRequests() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let seen = Collected<String>()
            let server = try await queue.serveMessages { request in
                seen.add(try request.text())
                return try Message("done")
            }
            let exchange = try queue.channel.exchange("")
            let addresses = [
                nil, "", "nowhere", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.x.y",
                "amq.rabbitmq.reply-to.g1h2AAxyZXBseUAxMTY.AAAA",
            ]
            for address in addresses {
                // A broker refuses the bare name to a channel that has no such consumer.
                if address == "amq.rabbitmq.reply-to" { continue }
                try await exchange.publish(Message(address ?? "none", replyTo: address), routingKey: queue.name)
            }
            try await eventually("all are run") { seen.count == addresses.count - 1 }
            let reply = try await client.call(Message("x")).text()
            #expect(reply == "done")
            await server.stop()
            let left = try await queue.channel.declareQueue(queue.name, durable: false, passive: true)
            #expect(left.messageCount == 0)
        }
    }

    @Test("a server says why it ended")
    func end() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let server = try await queue.serveMessages { Message(body: $0.body) }
            let end = Task { try await server.stopped }
            try await queue.delete(ifUnused: false, ifEmpty: false)
            let reason = try await within(.seconds(10), "the server's end") { try await end.value }
            #expect(reason?.code == .consumerCancelled)
            await server.stop()
            await #expect {
                try await queue.serveMessages { Message(body: $0.body) }
            } throws: { ($0 as? AMQPError)?.code == .deleted }
        }
    }

    @Test("what a server can't be", arguments: [0, -1, 65536])
    func refused(concurrency: Int) async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            await #expect {
                try await queue.serveMessages(maxConcurrency: concurrency) { Message(body: $0.body) }
            } throws: { ($0 as? AMQPError)?.code == .invalidArgument }
            await #expect {
                try await queue.serveMessages(options: ConsumerOptions(noAck: true)) { Message(body: $0.body) }
            } throws: { ($0 as? AMQPError)?.code == .invalidArgument }
        }
    }
}

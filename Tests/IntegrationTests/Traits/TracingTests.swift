#if DistributedTracingSupport
import InMemoryTracing
import RabbitMQ
import Synchronization
import TestSupport
import Testing
import Tracing

@Suite("Traces", .timeLimit(.minutes(1)))
struct TracingTests {
    /// Runs `body` with a tracer of its own, and gives what it has recorded.
    private func traced(_ body: (Connection) async throws -> Void) async throws -> [FinishedInMemorySpan] {
        let tracer = InMemoryTracer()
        var configuration = try TestBroker.configuration
        configuration.traceMessages()
        try await withTracer(tracer) { () async throws -> Void in
            try await Connection.withConnection(configuration, body)
        }
        return tracer.finishedSpans
    }

    private func span(_ name: String, _ spans: [FinishedInMemorySpan]) throws -> FinishedInMemorySpan {
        try #require(spans.first { $0.operationName == name }, "\(spans.map(\.operationName))")
    }

    @Test func `a handler's span follows on its publisher's, with the conventions' attributes`() async throws {
        let name = TestBroker.uniqueName("traced")
        let spans = try await traced { connection in
            let channel = try await connection.openChannel()
            let exchange = try await channel.declareExchange(name, type: .direct, durable: false, autoDelete: true)
            let queue = try await channel.declareQueue(name + ".q", durable: false, exclusive: true)
            try await queue.bind(to: exchange, routingKey: "key")
            try await withSpan("request") { _ in
                _ = try await exchange.publish(Message("x", messageID: "17"), routingKey: "key")
            }
            try await eventually("it is there") {
                try await channel.declareQueue(queue.name, passive: true).messageCount == 1
            }
            let message = try #require(try await queue.get())
            #expect(message.headers?.isEmpty == false)
            try await message.process { _ in await Task.yield() }
        }
        let (request, publish) = (try span("request", spans), try span("publish \(name)", spans))
        let process = try span("process \(name).q", spans)
        #expect(publish.kind == .producer && process.kind == .consumer)
        #expect(publish.parentSpanID == request.spanID)
        #expect(process.parentSpanID == publish.spanID)
        #expect(process.traceID == request.traceID)
        let attributes = process.attributes
        #expect(attributes.get("messaging.system") == "rabbitmq")
        #expect(attributes.get("messaging.operation.type") == "process")
        #expect(attributes.get("messaging.destination.name") == .string("\(name):key:\(name).q"))
        #expect(attributes.get("messaging.message.id") == "17")
        #expect(publish.attributes.get("messaging.destination.name") == .string("\(name):key"))
    }

    @Test func `a call's trace goes through its server and back`() async throws {
        let spans = try await traced { connection in
            let channel = try await connection.openChannel()
            let requests = try await channel.declareQueue(exclusive: true)
            let server = try await requests.serveMessages { $0.message }
            let client = try await connection.openRPCClient(routingKey: requests.name)
            try await withSpan("request") { _ in _ = try await client.call(Message("x")) }
            await server.stop()
        }
        let request = try span("request", spans)
        let handler = try #require(spans.first { $0.kind == .consumer })
        // The broker makes up another name with each declaration.
        #expect(handler.operationName == "process amq.gen")
        #expect(handler.attributes.get("messaging.destination.anonymous") == .bool(true))
        let reply = try #require(spans.first { $0.kind == .producer && $0.parentSpanID == handler.spanID })
        #expect(reply.operationName == "publish amq.default")
        #expect(spans.allSatisfy { $0.traceID == request.traceID })
    }

    @Test func `a handler that throws has its error noted, and a batch has a link to each`() async throws {
        struct Failure: Error {}
        let spans = try await traced { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            for _ in 0..<3 { try await queue.publishConfirmed(Message("x")) }
            let first = try #require(try await queue.get())
            await #expect(throws: Failure.self) {
                try await first.process(onFailure: .acknowledge) { _ in throw Failure() }
            }
            var batch: [IncomingMessage] = []
            for _ in 0..<2 { batch.append(try #require(try await queue.get())) }
            try await withProcessSpan(of: batch, queue: "batched") { for message in batch { try message.ack() } }
        }
        let failed = try #require(spans.first { $0.kind == .consumer && !$0.errors.isEmpty })
        #expect(failed.attributes.get("error.type") != nil)
        #expect(failed.status?.code == .error)
        let batched = try span("process batched", spans)
        #expect(batched.links.count == 2)
        #expect(batched.status == nil)
    }
}
#endif

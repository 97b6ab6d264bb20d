import RabbitMQ
import TestSupport
import Testing

@Suite("Messages of several formats", .timeLimit(.minutes(1)))
struct CodecTests {
    private struct Created: Codable, Equatable, Sendable { var id: Int }

    private enum Event: Equatable, Sendable {
        case created(Created)
        case cancelled(UInt8)
    }

    /// One byte.
    private struct ByteCodec: MessageEncoder, MessageDecoder {
        let contentType = "application/x-byte"

        func encode(_ value: UInt8) -> [UInt8] { [value] }

        func decode(_ message: Message) throws -> UInt8 {
            guard let byte = message.body.first, message.body.count == 1 else {
                throw AMQPError(.decodingFailed, "that is not one byte")
            }
            return byte
        }
    }

    private let events = MessageDecoders<Event>()
        .adding(JSONCodec<Created>(), type: "created") { .created($0) }
        .adding(ByteCodec(), type: "cancelled") { .cancelled($0) }

    private func publishAll(to queue: Queue) async throws {
        try await queue.publish(Message(encoding: Created(id: 7), using: JSONCodec(), type: "created"))
        try await queue.publish(Message("?", type: "moved"))
        try await queue.publish(Message(encoding: 9, using: ByteCodec(), type: "cancelled"))
    }

    @Test func `a sequence has values of several types, and what nobody knows goes the way of what does not decode`()
        async throws
    {
        try await Scratch.use { scratch, _, channel in
            let unknown = try await channel.declareQueue(scratch.queue("unknown"))
            let queue = try await channel.declareQueue(
                scratch.queue("events"),
                arguments: QueueArguments(deadLetterExchange: "", deadLetterRoutingKey: unknown.name)
            )
            try await publishAll(to: queue)
            var seen: [Event] = []
            for try await event in try await queue.messages(using: events) {
                seen.append(event.value)
                try event.ack()
                if seen.count == 2 { break }
            }
            #expect(seen == [.created(Created(id: 7)), .cancelled(9)])
            #expect(try await unknown.next().type == "moved")
        }
    }

    @Test func `a handler with a retry policy gets them, and what nobody knows is parked`() async throws {
        try await RetryBench.use(RetryBench.quick(3, isFinal: RetryPolicy.isOfDecoding)) { bench in
            let seen = Collected<Event>()
            let worker = Task { [queue = bench.queue, policy = bench.policy, events] in
                try await queue.process(using: events, retrying: policy) { event, _ in seen.add(event) }
            }
            try await publishAll(to: bench.queue)
            #expect(try await bench.nextParked().errorText?.contains("no decoder for the type \"moved\"") == true)
            try await eventually("both came") { seen.count == 2 }
            worker.cancel()
            await #expect(throws: CancellationError.self) { try await worker.value }
        }
    }

    @Test func `calls and their answers can have formats of their own`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let server = try await queue.serve(decoding: ByteCodec(), encoding: JSONCodec<Created>()) { byte in
                Created(id: Int(byte) * 2)
            }
            try await connection.withRPCClient(routingKey: queue.name) { client in
                let answer = try await client.call(21, encoding: ByteCodec(), decoding: JSONCodec<Created>())
                #expect(answer == Created(id: 42))
                let refused = await #expect(throws: RPCFailure.self) {
                    try await client.call(Message("two bytes"))
                }
                #expect(refused?.code == .invalidRequest)
            }
            await server.stop(within: .seconds(5))
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

@Suite("Filters of streams")
struct StreamFilterTests {
    /// A stream with chunks of three values, a chunk of messages without any, and one in which they are mixed.
    private func withStream(_ body: @Sendable (Connection, Queue) async throws -> Void) async throws {
        try await Scratch.use { scratch, connection, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("filtered"),
                arguments: QueueArguments(type: .stream, filterSize: 64)
            )
            try await channel.selectConfirms()
            for value in ["eu", "us", "asia", nil] {
                for number in 0..<5 {
                    // Confirmed one by one, so that no chunk holds two values.
                    try await channel.defaultExchange.publish(message(number, value), routingKey: stream.name)
                        .confirmed()
                }
            }
            try await body(connection, stream)
        }
    }

    private func message(_ number: Int, _ value: String?) throws -> Message {
        var message = try Message("\(value ?? "none") \(number)")
        message.streamFilterValue = value
        return message
    }

    /// What comes from the first message on until everything that was asked for is there.
    private func read(
        _ stream: Queue,
        on connection: Connection,
        _ filter: StreamFilter,
        matching count: Int
    ) async throws -> (all: [String], matching: [String]) {
        let name = stream.name
        return try await connection.withChannel { channel in
            try await channel.setQos(prefetchCount: 100)
            let options = ConsumerOptions(streamOffset: .first, streamFilter: filter)
            let deliveries = try await channel.queue(name).consume(options)
            return try await within(.seconds(20), "\(count) messages of \(filter)") {
                var all: [String] = []
                var matching: [String] = []
                for try await message in deliveries {
                    all.append(try message.text())
                    if filter.matches(message) { matching.append(try message.text()) }
                    try message.ack()
                    if matching.count == count { break }
                }
                return (all, matching)
            }
        }
    }

    private func texts(_ values: String...) -> [String] { values.flatMap { value in (0..<5).map { "\(value) \($0)" } } }

    @Test("what is asked for comes; a broker that filters spares the chunks without it")
    func filtered() async throws {
        let version = try await BrokerVersion.current
        try await withStream { connection, stream in
            for (filter, expected) in [
                (StreamFilter("us"), texts("us")), (StreamFilter("us", "asia"), texts("us", "asia")),
                (StreamFilter("asia", matchUnfiltered: true), texts("asia", "none")),
                (StreamFilter(""), texts("none")),
            ] {
                let (all, matching) = try await read(stream, on: connection, filter, matching: expected.count)
                #expect(matching == expected)
                if version >= .v3_13 { #expect(all == expected) } else { #expect(all.count > expected.count) }
            }
        }
    }

    @Test("messages that share a chunk with one that is asked for come too, and are told apart by the filter")
    func mixed() async throws {
        try await Scratch.use { scratch, connection, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("mixed"),
                arguments: QueueArguments(type: .stream)
            )
            // In one write, which the broker mostly puts into few chunks.
            var values = (0..<200).map { $0 % 2 == 0 ? "eu" : "us" }
            values.append("eu")
            try await channel.selectConfirms()
            let messages = try values.enumerated().map { try message($0, $1) }
            try await channel.defaultExchange.publish(contentsOf: messages, routingKey: stream.name)
            try await channel.waitForConfirms()
            let (all, matching) = try await read(stream, on: connection, StreamFilter("eu"), matching: 101)
            #expect(matching == values.enumerated().filter { $1 == "eu" }.map { "\($1) \($0)" })
            #expect(all.count >= matching.count)
        }
    }

    @Test("a broker that knows no filters sends everything, and the log says so")
    func olderBroker() async throws {
        let version = try await BrokerVersion.current
        let log = CapturedLog()
        try await Scratch.use { scratch, _, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("unfiltered"),
                arguments: QueueArguments(type: .stream)
            )
            let name = stream.name
            try await Connection.withConnection(try TestBroker.configuration(log: log)) { connection in
                try await connection.withChannel { channel in
                    try await channel.setQos(prefetchCount: 1)
                    let options = ConsumerOptions(streamOffset: .first, streamFilter: StreamFilter("eu"))
                    _ = try await channel.queue(name).consume(options)
                }
            }
        }
        #expect(log.entries(containing: "x-stream-filter is ignored").count == (version < .v3_13 ? 1 : 0))
    }

    @Test("what would cost the connection is refused before anything is sent")
    func refused() async throws {
        try await Scratch.use { scratch, connection, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("refused"),
                arguments: QueueArguments(type: .stream)
            )
            try await channel.setQos(prefetchCount: 10)
            for options in [
                ConsumerOptions(streamFilter: StreamFilter()), ConsumerOptions(arguments: ["x-stream-filter": [7]]),
                ConsumerOptions(priority: 1, streamOffset: .first),
                ConsumerOptions(streamOffset: .first, timeout: .seconds(1)),
            ] {
                await expectError(.invalidArgument) { try await stream.consume(options) }
            }
            for value in [FieldValue.int64(7), .void, .bytes([255]), .table([:])] {
                let message = try Message("x", headers: ["x-stream-filter-value": value])
                await expectError(.invalidMessage) {
                    try await channel.defaultExchange.publish(message, routingKey: stream.name)
                }
            }
            let classic = try await channel.declareQueue(exclusive: true, arguments: QueueArguments(type: .classic))
            await expectError(.invalidArgument) {
                try await classic.consume(ConsumerOptions(streamFilter: StreamFilter("eu")))
            }
            #expect(channel.closeReason == nil)
            #expect(try await connection.answers())
        }
    }
}

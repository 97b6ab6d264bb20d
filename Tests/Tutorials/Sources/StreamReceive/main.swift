import RabbitMQ

// The offset to begin at; the first message by default.
let offset = CommandLine.arguments.dropFirst().first.flatMap { UInt64($0) }

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.setQos(prefetchCount: 100)
    let stream = try await channel.declareQueue(
        "hello_stream",
        arguments: QueueArguments(type: .stream, maxLengthBytes: 2_000_000_000)
    )
    let start: StreamOffset = offset.map { .offset($0) } ?? .first
    let deliveries = try await stream.consume(ConsumerOptions(streamOffset: start))
    print(" [*] Waiting for messages. To exit press CTRL+C")
    for try await message in deliveries {
        // The broker begins at a whole chunk, which may hold earlier ones.
        if let here = message.streamOffset, here >= offset ?? 0 {
            print(" [x] \(here): \(try message.text())")
        }
        try message.ack()
    }
}

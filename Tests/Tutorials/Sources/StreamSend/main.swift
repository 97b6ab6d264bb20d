import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.selectConfirms()
    let stream = try await channel.declareQueue(
        "hello_stream",
        arguments: QueueArguments(type: .stream, maxLengthBytes: 2_000_000_000)
    )
    for number in 1...100 {
        try await stream.publish(Message("Hello \(number)"))
    }
    try await channel.waitForConfirms()
    print(" [x] 100 messages are in the stream")
}

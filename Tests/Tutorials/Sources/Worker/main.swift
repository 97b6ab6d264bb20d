import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.setQos(prefetchCount: 1)
    let queue = try await channel.declareQueue("task_queue", arguments: QueueArguments(type: .quorum))
    let deliveries = try await queue.consume()
    print(" [*] Waiting for messages. To exit press CTRL+C")
    for try await message in deliveries {
        let text = try message.text()
        print(" [x] Received '\(text)'")
        // A second of work for each dot.
        try await Task.sleep(for: .seconds(text.filter { $0 == "." }.count))
        print(" [x] Done")
        try message.ack()
    }
}

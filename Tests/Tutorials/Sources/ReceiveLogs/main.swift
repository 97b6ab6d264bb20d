import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("logs", type: .fanout)
    let queue = try await channel.declareQueue(exclusive: true)
    try await queue.bind(to: logs)
    let deliveries = try await queue.consume(.noAck)
    print(" [*] Waiting for logs. To exit press CTRL+C")
    for try await message in deliveries {
        print(" [x] \(try message.text())")
    }
}

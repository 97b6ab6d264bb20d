import RabbitMQ

let patterns = CommandLine.arguments.dropFirst()

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("topic_logs", type: .topic)
    let queue = try await channel.declareQueue(exclusive: true)
    for pattern in patterns {
        try await queue.bind(to: logs, routingKey: pattern)
    }
    let deliveries = try await queue.consume(.noAck)
    print(" [*] Waiting for logs. To exit press CTRL+C")
    for try await message in deliveries {
        print(" [x] \(message.routingKey):\(try message.text())")
    }
}

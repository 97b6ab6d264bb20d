import RabbitMQ

let severities = CommandLine.arguments.dropFirst()

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("direct_logs", type: .direct)
    let queue = try await channel.declareQueue(exclusive: true)
    for severity in severities {
        try await queue.bind(to: logs, routingKey: severity)
    }
    let deliveries = try await queue.consume(.noAck)
    print(" [*] Waiting for logs. To exit press CTRL+C")
    for try await message in deliveries {
        print(" [x] \(message.routingKey):\(try message.text())")
    }
}

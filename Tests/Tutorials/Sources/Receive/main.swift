import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let queue = try await channel.declareQueue("hello")
    let deliveries = try await queue.consume(.noAck)
    print(" [*] Waiting for messages. To exit press CTRL+C")
    for try await message in deliveries {
        print(" [x] Received '\(try message.text())'")
    }
}

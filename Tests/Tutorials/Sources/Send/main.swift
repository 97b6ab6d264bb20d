import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let queue = try await channel.declareQueue("hello")
    try await queue.publish(Message("Hello World!"))
    print(" [x] Sent 'Hello World!'")
}

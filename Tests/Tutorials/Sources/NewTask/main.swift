import RabbitMQ

let words = CommandLine.arguments.dropFirst()
let text = words.isEmpty ? "Hello World!" : words.joined(separator: " ")

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.selectConfirms()
    let queue = try await channel.declareQueue("task_queue", arguments: QueueArguments(type: .quorum))
    try await queue.publishConfirmed(Message(text, deliveryMode: .persistent))
    print(" [x] Sent '\(text)'")
}

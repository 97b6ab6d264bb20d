import RabbitMQ

let words = CommandLine.arguments.dropFirst()
let text = words.isEmpty ? "info: Hello World!" : words.joined(separator: " ")

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("logs", type: .fanout)
    try await logs.publish(Message(text), routingKey: "", mandatory: false)
    print(" [x] Sent '\(text)'")
}

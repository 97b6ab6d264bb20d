import RabbitMQ

let arguments = CommandLine.arguments.dropFirst()
let routingKey = arguments.first ?? "anonymous.info"
let words = arguments.dropFirst()
let text = words.isEmpty ? "Hello World!" : words.joined(separator: " ")

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("topic_logs", type: .topic)
    try await logs.publish(Message(text), routingKey: routingKey, mandatory: false)
    print(" [x] Sent '\(routingKey)':'\(text)'")
}

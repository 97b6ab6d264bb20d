import RabbitMQ

let arguments = CommandLine.arguments.dropFirst()
let severity = arguments.first ?? "info"
let words = arguments.dropFirst()
let text = words.isEmpty ? "Hello World!" : words.joined(separator: " ")

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let logs = try await channel.declareExchange("direct_logs", type: .direct)
    try await logs.publish(Message(text), routingKey: severity, mandatory: false)
    print(" [x] Sent '\(severity)':'\(text)'")
}

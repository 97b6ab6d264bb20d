import RabbitMQ

let count = 5000

func messages() throws -> [Message] { try (0..<count).map { try Message("\($0)", deliveryMode: .persistent) } }

func report(_ way: String, since start: ContinuousClock.Instant) {
    print(" [x] Published \(count) messages \(way) in \(ContinuousClock.now - start)")
}

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.selectConfirms()
    let queue = try await channel.declareQueue(exclusive: true)

    var start = ContinuousClock.now
    for message in try messages() {
        try await queue.publishConfirmed(message)
    }
    report("one at a time", since: start)

    start = .now
    for (number, message) in try messages().enumerated() {
        try await queue.publish(message)
        if number % 100 == 99 { try await channel.waitForConfirms(timeout: .seconds(5)) }
    }
    try await channel.waitForConfirms(timeout: .seconds(5))
    report("in batches", since: start)

    start = .now
    var receipts: [PublishReceipt] = []
    for message in try messages() {
        receipts.append(try await queue.publish(message))
    }
    for receipt in receipts {
        try await receipt.confirmed()
    }
    report("with many unconfirmed", since: start)
}

import RabbitMQ

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    try await channel.setQos(prefetchCount: 4)
    let queue = try await channel.declareQueue("swift")
    let deliveries = try await queue.consume()
    print(" [*] Waiting for tasks. To exit press CTRL+C")
    try await deliveries.process(maxConcurrency: 4) { message in
        let arguments = try message.json()[0]
        guard message.headers?["task"]?.stringValue == "proj.tasks.add",
            let x = arguments?[0]?.intValue, let y = arguments?[1]?.intValue,
            case (let sum, false) = x.addingReportingOverflow(y)
        else { throw AMQPError(.decodingFailed, "this is no task of ours") }
        print(" [x] \(x) + \(y)")
        // Where whoever sent the task waits for its result.
        guard let id = message.correlationID, let replyTo = message.replyTo else { return }
        let result = try Message(
            json: [
                "task_id": .string(id), "status": "SUCCESS", "result": .int(Int64(sum)), "traceback": nil,
                "children": [],
            ],
            correlationID: id
        )
        try await channel.defaultExchange.publish(result, routingKey: replyTo)
    }
}

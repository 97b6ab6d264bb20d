internal import RabbitMQ

/// Publishes, on one task for each channel, with confirms or without.
struct PublishMode {
    let options: PerfOptions
    let progress: Progress
    let confirms: Bool

    func run() async throws -> PerfResult {
        let configuration = try options.configuration()
        var connections: [Connection] = []
        var channels: [Channel] = []
        for _ in 0..<options.connections {
            let connection = try await Connection.connect(configuration)
            connections.append(connection)
            for _ in 0..<options.channels { channels.append(try await connection.openChannel()) }
        }
        let queue = try await PerfQueue.declare(options, on: channels[0])
        for channel in channels where confirms { try await channel.confirmSelect(maxUnconfirmed: options.window) }
        let key = options.routingKey ?? queue.name
        try await publish(options.warmup, on: channels, key: key)
        let meter = Meter()
        try await publish(options.messages, on: channels, key: key)
        let usage = meter.read()
        for connection in connections { await connection.close() }
        return PerfResult(usage: usage)
    }

    private func publish(_ count: Int, on channels: [Channel], key: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, channel) in channels.enumerated() {
                let share = PerfOptions.share(of: count, index: index, count: channels.count)
                group.addTask { try await publish(share, on: channel, key: key) }
            }
            try await group.waitForAll()
        }
    }

    private func publish(_ count: Int, on channel: Channel, key: String) async throws {
        let exchange = try await PerfQueue.exchange(options, on: channel)
        let body = [UInt8](repeating: 0x78, count: options.size)
        for number in 0..<count {
            let message = Message(body: body, deliveryMode: .transient)
            try await exchange.publish(message, routingKey: key, mandatory: false)
            if number % 1000 == 999 { progress.add(1000) }
        }
        if confirms { try await channel.waitForConfirms() }
        // The broker answers when it has taken all that was sent before.
        try await channel.setQos(prefetchCount: 0)
    }
}

#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// How much is in queues.
struct CountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "count",
        "Says how many messages are ready in queues, and how many consumers they have.",
        "What was delivered and is not acknowledged yet does not count. One queue alone is one number.",
        examples: "rmq count orders",
        "rmq count orders orders.dead --json",
        "while [ $(rmq count orders) -gt 0 ]; do sleep 1; done"
    )

    struct Row: Encodable {
        let queue: String
        let messages: Int
        let consumers: Int
    }

    @Argument(help: "The queues.")
    var queues: [String]

    @Flag(help: "A JSON object a line.")
    var json = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        let configuration = try connection.configuration(name: "rmq count")
        let queues = queues
        let rows = try await Interruption.cancelling {
            try await Connection.lend(configuration) { connection in
                let channel = try await connection.openChannel()
                var rows: [Row] = []
                for name in queues {
                    let queue = try await channel.declareQueue(name, passive: true)
                    rows.append(Row(queue: name, messages: queue.messageCount, consumers: queue.consumerCount))
                }
                return rows
            }
        }
        for row in rows {
            if json {
                try Terminal.say(Terminal.json(row))
            } else if rows.count == 1 {
                try Terminal.say("\(row.messages)")
            } else {
                try Terminal.say(Terminal.harmlessRow("\(row.messages)\t\(row.consumers)\t\(row.queue)"))
            }
        }
    }
}
#endif

internal import RabbitMQ
internal import Synchronization

/// Many queues, each with a binding and a consumer: what their recovery takes, and what it takes to make them on a fresh
/// connection, each call on its way before the one before is answered.
///
/// Says `ready` when the connection is to be lost, as often as `--rounds` says, and a line of JSON at the end.
struct TopologyRun {
    private let configuration: ConnectionConfiguration
    private let count: Int
    private let rounds: Int

    init(_ options: Options) throws {
        var configuration = try options.configuration
        configuration.callTimeout = .seconds(120)
        self.configuration = configuration
        count = options.number("entities", 1000)
        rounds = options.number("rounds", 3)
    }

    func run() async throws {
        let connection = try await Connection.connect(configuration)
        let channel = try await connection.openChannel()
        _ = try await makeAll(on: channel)
        var events = connection.events.makeAsyncIterator()
        var recoveries: [Double] = []
        var passes: [Double] = []
        var reports: [String] = []
        while recoveries.count < rounds {
            say("ready")
            recovery: while let event = await events.next() {
                if case .recovered(let report, let duration) = event {
                    recoveries.append(duration.inSeconds)
                    reports.append(
                        "[\(report.queues), \(report.bindings), \(report.consumers), \(report.refused.count)]"
                    )
                    break recovery
                }
            }
            passes.append(try await timeOfPass())
        }
        let queues = try await withThrowingTaskGroup { group in
            for index in 0..<count {
                group.addTask { try await channel.queue(name(index)).delete(ifUnused: false, ifEmpty: false) }
            }
            return try await group.reduce(0) { count, _ in count + 1 }
        }
        await connection.close()
        say(
            #"{"entities": \#(count), "recovery_s": \#(recoveries), "pass_s": \#(passes), "#
                + #""reports": [\#(reports.joined(separator: ", "))], "deleted": \#(queues)}"#
        )
    }

    private func name(_ index: Int) -> String { "chaos-topology-\(index)" }

    private func timeOfPass() async throws -> Double {
        var configuration = configuration
        configuration.recovery = .none
        return try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let start = ContinuousClock.now
            _ = try await makeAll(on: channel)
            return (ContinuousClock.now - start).inSeconds
        }
    }

    private func makeAll(on channel: Channel) async throws -> [Consumer] {
        let queues = try await withThrowingTaskGroup { group in
            for index in 0..<count {
                group.addTask { try await channel.declareQueue(name(index), durable: false) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await withThrowingDiscardingTaskGroup { group in
            for queue in queues {
                group.addTask { _ = try await queue.bind(to: channel.topicExchange, routingKey: "\(queue.name).key") }
            }
        }
        return try await withThrowingTaskGroup { group in
            for queue in queues { group.addTask { try await queue.consume { try $0.ack() } } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

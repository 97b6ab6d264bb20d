#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Topologies.
struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract:
            "Compares exchanges, queues and bindings in a file with a broker, makes them, and writes such a file.",
        discussion: """
            The file is YAML or JSON; what is left out has its default:

              exchanges:
                - name: orders
                  type: topic
              queues:
                - name: orders.eu
                  arguments: {x-queue-type: quorum, x-delivery-limit: 5}
              bindings:
                - {source: orders, queue: orders.eu, routingKey: 'eu.#'}

            An exchange may have name, type, durable, autoDelete, internal and arguments; a queue name, durable, \
            exclusive, autoDelete and arguments; a binding source, queue or exchange, routingKey and arguments. Any \
            other key is an error, but for those beside the three lists that begin with 'x-', where one keeps what the \
            lists refer to. A file in which nothing stands is an error; {} is a topology without anything.
            """,
        subcommands: [Plan.self, Apply.self, Export.self]
    )

    struct Report: Encodable {
        struct Step: Encodable {
            let entity: String
            let state: String
            let conflict: String?
        }

        let isComplete: Bool
        let steps: [Step]

        init(_ plan: TopologyPlan) {
            isComplete = plan.isComplete
            func step(_ entity: some CustomStringConvertible, _ state: TopologyPlan.State) -> Step {
                Step(entity: "\(entity)", state: "\(state)", conflict: state.conflict)
            }
            steps =
                plan.exchanges.map { step($0.entity, $0.state) } + plan.queues.map { step($0.entity, $0.state) }
                + plan.bindings.map { step($0.entity, $0.state) }
        }
    }

    /// A topology in a file, and a broker.
    struct Options: ParsableArguments {
        @Argument(help: "The file; - for the standard input.")
        var file: String

        @Flag(help: "End with one JSON object on one line.")
        var json = false

        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        /// Runs `body` with both.
        func run(
            _ body: @escaping @Sendable (Topology, Connection) async throws -> TopologyPlan
        ) async throws -> TopologyPlan {
            let topology = try TopologyFile.read(file)
            let configuration = try connection.configuration(name: "rmq topology")
            return try await Interruption.cancelling {
                try await Connection.lend(configuration) { try await body(topology, $0) }
            }
        }
    }

    struct Plan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Says what of a topology a broker has, lacks, or has otherwise; changes nothing.",
            """
            The exit status is 0 if it has all of it, and 2 if not. AMQP has no way to ask for bindings: those are \
            'unknown', and don't count.
            """,
            examples: "rmq topology plan topology.yaml",
            "rmq topology plan topology.json --json",
            "rmq topology plan - --vhost staging < topology.yaml"
        )

        @OptionGroup var options: Options

        func run() async throws {
            let plan = try await options.run { topology, connection in try await topology.plan(on: connection) }
            try Terminal.say(options.json ? Terminal.json(Report(plan)) : Terminal.harmless(plan.description))
            if !plan.isComplete { throw ExitCode.incomplete }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Makes what a broker lacks of a topology.",
            """
            It looks first: if something exists otherwise, nothing is changed and the exit status is 1. What exists \
            stays, and what the file does not name is left alone.
            """,
            examples: "rmq topology apply topology.yaml",
            "rmq topology apply topology.json --vhost staging",
            "rmq topology export --definitions prod.json | rmq topology apply -"
        )

        @OptionGroup var options: Options

        func run() async throws {
            let before = try await options.run { topology, connection in try await topology.apply(on: connection) }
            if options.json { return try Terminal.say(Terminal.json(Report(before))) }
            let steps = Report(before).steps
            for step in steps where step.state == "\(TopologyPlan.State.missing)" {
                try Terminal.say(Terminal.harmless("made: \(step.entity)"))
            }
            let bindings = before.bindings.count
            if bindings > 0 { try Terminal.say("ensured: \(bindings) bindings") }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Writes a topology as a file for plan and apply.",
            """
            AMQP has no way to ask what a broker has: it is read from the definitions that rabbitmqctl \
            export_definitions or the management API (/api/definitions) writes; or from a topology, to turn YAML into \
            JSON and back.
            """,
            examples: "rabbitmqctl export_definitions - | rmq topology export --definitions - > topology.yaml",
            "curl -su me http://localhost:15672/api/definitions | rmq topology export --definitions - --of shop",
            "rmq topology export topology.yaml --json"
        )

        @Argument(help: "A topology; - for the standard input.")
        var file: String?

        @Option(help: "RabbitMQ's definitions, in JSON; - for the standard input.")
        var definitions: String?

        @Option(help: "Which virtual host of the definitions.")
        var of = "/"

        @Flag(help: "Write JSON rather than YAML.")
        var json = false

        func validate() throws {
            guard (file == nil) != (definitions == nil) else {
                throw ValidationError("Of what? Give a file, or --definitions.")
            }
            guard definitions != nil || of == "/" else {
                throw ValidationError("--of is for --definitions: a topology is of no virtual host.")
            }
        }

        func run() async throws {
            let topology: Topology
            if let definitions {
                let decoder = JSONDecoder()
                let text = try TopologyFile.text(definitions)
                do {
                    topology = try decoder.decode(Definitions.self, from: Data(text.utf8)).topology(of: of)
                } catch is DecodingError {
                    throw ToolError("\(definitions) holds no definitions of RabbitMQ, which are a JSON object.")
                }
            } else {
                topology = try TopologyFile.read(file ?? "-")
            }
            try Terminal.say(try TopologyFile.write(topology, isJSON: json))
        }
    }
}
#endif

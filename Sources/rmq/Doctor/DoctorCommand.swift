#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Finds out why a broker can't be used.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "doctor",
        "Finds out why a broker can't be used: step by step, with the likely cause and the cure.",
        """
        Looks the name up, connects to each address, does TLS, speaks AMQP, logs in, opens a channel, asks for the \
        permissions to configure, write and read, publishes a message to nobody, and compares clocks. What is asked \
        for is harmless: names that nothing has, and two queues of this connection alone. Nothing is left behind.

        It says as well which librabbitmq and which OpenSSL it has loaded, with those of their advisories that can be \
        reached through this library: OpenSSL's were judged up to \(Advisory.judgedUntil). Of the broker it says the \
        version, whether the community still gets corrections for its series, and which of RabbitMQ's own advisories, \
        up to \(BrokerAdvisory.judgedUntil), that version has; https://www.rabbitmq.com/security has later ones.

        The exit status is 1 if a step failed; warnings don't count.
        """,
        examples: "rmq doctor",
        "rmq doctor --uri amqps://orders@rabbit.internal/shop --prefix orders.",
        "rmq doctor --json --timeout 2s"
    )

    @Option(help: "What the queues and exchanges of this user begin with, if permissions are for some names only.")
    var prefix = ""

    @Option(help: "How long one step may take.")
    var timeout = Span.seconds(5)

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard timeout.duration >= .milliseconds(10) else { throw ValidationError("--timeout is less than 10ms.") }
        guard prefix.utf8.count <= 200 else { throw ValidationError("--prefix has more than 200 bytes.") }
    }

    func run() async throws {
        var configuration = try connection.configuration(name: "rmq doctor")
        configuration.connectTimeout = timeout.duration
        configuration.callTimeout = timeout.duration
        configuration.publishTimeout = timeout.duration
        // A broker that blocks publishers does not read a goodbye either.
        configuration.closeTimeout = min(timeout.duration, .seconds(2))
        let (ready, prefix, limit) = (configuration, prefix, timeout.duration)
        let examination = try await Interruption.cancelling {
            let result = await Self.examine(ready, prefix: prefix, limit: limit)
            // What an interruption has cut short is no finding.
            try Task.checkCancellation()
            return result
        }
        try Terminal.say(json ? Terminal.json(examination) : Self.text(examination))
        if examination.failed != nil { throw ExitCode.failure }
    }

    private static func examine(
        _ configuration: ConnectionConfiguration,
        prefix: String,
        limit: Duration
    ) async -> Examination {
        var examination = Examination(broker: "\(configuration.host):\(configuration.port)")
        await LibraryCheck.run(&examination)
        let network = NetworkCheck(host: configuration.host, port: configuration.port, limit: limit)
        guard await network.run(&examination) else { return examination }
        guard let connection = await ConnectCheck(configuration: configuration).run(&examination) else {
            return examination
        }
        await BrokerCheck(connection: connection, prefix: prefix, limit: limit).run(&examination)
        await connection.close()
        return examination
    }

    private static func text(_ examination: Examination) -> String {
        let width = examination.steps.map(\.step.count).max() ?? 0
        var lines = [examination.broker]
        for finding in examination.steps {
            let (sign, colour): (String, Terminal.Colour) =
                switch finding.status {
                case .ok: ("ok     ", .green)
                case .warning: ("warning", .yellow)
                case .failed: ("FAILED ", .red)
                case .skipped: ("-      ", .grey)
                }
            let took = finding.milliseconds.map { Self.pad("\($0) ms", to: 12) } ?? Self.pad("", to: 12)
            let name = finding.step + String(repeating: " ", count: width - finding.step.count)
            lines.append("\(Terminal.coloured(sign, colour)) \(name) \(took)  \(Terminal.harmless(finding.found))")
            if let cause = finding.cause { lines.append("          cause: \(Terminal.harmless(cause))") }
            if let cure = finding.cure { lines.append("          cure:  \(Terminal.harmless(cure))") }
        }
        let failed = examination.failed
        lines.append(failed.map { "The step '\($0)' failed." } ?? "Everything works.")
        return lines.joined(separator: "\n")
    }

    private static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
#endif

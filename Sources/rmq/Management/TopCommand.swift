#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Shows which queues and connections are busy, again and again.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "top",
        "Shows the busiest queues of a virtual host, and its busiest connections, again and again.",
        """
        What comes in, goes out and is acknowledged in a second, as the management API says, which counts every few \
        seconds; what is ready, what is unacknowledged, consumers. Alarms are shown if the user may know of them. It \
        ends by q, Ctrl-C or --count. Where the output is no terminal, one table comes after the other.

        With --connections a second table shows what connections publish and get, with the name that the client gave, \
        the user, and the state if it is not running: 'blocked' or 'flow' are publishers that the broker holds back. \
        A user with the tag management, and no more, sees their own connections only.
        """,
        examples: "rmq top --management http://localhost:15672",
        "rmq top --profile production --interval 5s --queues 40",
        "rmq top --queues 8 --connections 8",
        "rmq top --count 1 --json | jq '.queues[0]'"
    )

    @Option(help: "How long it waits before it looks again.")
    var interval = Span.seconds(2)

    @Option(name: .shortAndLong, help: "How often it looks.")
    var count: Int?

    @Option(help: "The most queues to show.")
    var queues = 20

    @Option(help: "The most connections to show below the queues; none unless this is given.")
    var connections: Int?

    @Flag(help: "Each time one JSON object on one line.")
    var json = false

    @OptionGroup var management: ManagementOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is \(count); it must be at least 1.") }
        guard queues > 0 else { throw ValidationError("--queues is \(queues); it must be at least 1.") }
        if let connections, connections < 1 {
            throw ValidationError("--connections is \(connections); it must be at least 1.")
        }
        guard interval.duration >= .milliseconds(100) else { throw ValidationError("--interval is below 100ms.") }
    }

    /// What is shown at a time.
    private struct Board: Encodable {
        let vhost: String
        let all: TopLine
        let queues: [TopLine]
        /// Nil if they are not asked for.
        let connections: [TopConnection]?
        let alarms: [String]
    }

    func run() async throws {
        let api = try management.api(of: connection)
        let vhost = try connection.configuration().virtualHost
        try await Interruption.stopping { stop in
            let isScreen = !json && Terminal.isScreen
            let keyboard = isScreen ? Keyboard() : nil
            defer { keyboard?.restore() }
            var shown = 0
            let hasKeys = keyboard != nil
            repeat {
                guard let found = await look(at: vhost, api, stop, hasKeys: hasKeys) else { break }
                switch found {
                case .success(let board): try show(board, isScreen: isScreen)
                // The broker may start again: that is what one wants to see.
                case .failure(let error as ToolError) where shown > 0: Terminal.complain("\(error)")
                case .failure(let error): throw error
                }
                shown += 1
                if shown == count { return }
            } while try await wait(stop, hasKeys: hasKeys)
            if let code = stop.exitCode { throw code }
        }
    }

    /// Looks, and gives up as soon as it is to end: an answer may take long, and who presses Ctrl-C a second time ends
    /// the process at once, which leaves the terminal without its echo.
    ///
    /// - Returns: nil if it is to end.
    private func look(
        at vhost: String,
        _ api: ManagementAPI,
        _ stop: Stop,
        hasKeys: Bool
    ) async -> Result<Board, any Error>? {
        let (queues, connections) = (queues, connections)
        let work = Task { try await Self.look(at: vhost, api, queues: queues, connections: connections) }
        let watch = Task<Bool, Never> {
            while !Task.isCancelled {
                if stop.isRequested || (hasKeys && Keyboard.saysQuit) {
                    work.cancel()
                    return true
                }
                try? await Task.sleep(for: .milliseconds(50))
            }
            return false
        }
        let result = await work.result
        watch.cancel()
        return await watch.value ? nil : result
    }

    private static func look(
        at vhost: String,
        _ api: ManagementAPI,
        queues: Int,
        connections: Int?
    ) async throws -> Board {
        let found: [TopQueue] = try await api.rows(in: vhost)
        let lines = found.map { TopLine($0) }.sorted(by: TopLine.isBefore)
        var busiest: [TopConnection]?
        if let connections {
            let listed: [ListedConnection] = try await api.rows(in: vhost)
            let channels: [TopChannel] = try await api.rows(in: vhost)
            busiest = Array(TopConnection.lines(listed, channels).prefix(connections))
        }
        // Not every user may know of the nodes.
        let nodes: [TopNode] = (try? await api.rows(in: vhost)) ?? []
        return Board(
            vhost: vhost,
            all: TopLine(allOf: lines),
            queues: Array(lines.prefix(queues)),
            connections: busiest,
            alarms: nodes.flatMap(\.alarms)
        )
    }

    private func show(_ board: Board, isScreen: Bool) throws {
        if json { return try Terminal.say(Terminal.json(board)) }
        var lines = [TopLine.head, board.all.text] + board.queues.map(\.text)
        if let connections = board.connections { lines += ["", TopConnection.head] + connections.map(\.text) }
        let text = Terminal.harmless(lines.joined(separator: "\n"))
        let alarms = board.alarms.map { Terminal.coloured(Terminal.harmless("ALARM: \($0)"), .red) + "\n" }.joined()
        // From the upper left corner of an empty screen, in one piece: so it does not flicker.
        try Terminal.say((isScreen ? "\u{1B}[H\u{1B}[2J" : "") + alarms + text)
    }

    /// - Returns: Whether to go on.
    private func wait(_ stop: Stop, hasKeys: Bool) async throws -> Bool {
        let end = ContinuousClock.now + interval.duration
        while .now < end {
            if stop.isRequested || (hasKeys && Keyboard.saysQuit) { return false }
            try await Task.sleep(for: .milliseconds(50))
        }
        return !stop.isRequested
    }
}

/// What the management API says of how a node is.
private struct TopNode: ManagementRow {
    let name: String
    let lacksMemory: Bool?
    let lacksDisk: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name
        case lacksMemory = "mem_alarm"
        case lacksDisk = "disk_free_alarm"
    }

    static func place(inVirtualHost vhost: String) -> String { "nodes" }

    static let columns = CodingKeys.allCases.map(\.rawValue)

    var line: String { name }

    var alarms: [String] {
        [(lacksMemory, "memory"), (lacksDisk, "disk")].filter { $0.0 == true }.map { "\(name) is low on \($0.1)" }
    }
}
#endif

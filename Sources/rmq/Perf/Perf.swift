#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Measures what the library's public API does, as any program would use it.
struct Perf: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        "Measures publishing, consuming and round trips.",
        """
        Makes a queue of its own, and deletes it at the end, also after an error, Ctrl-C or SIGTERM. A queue that \
        exists is used only if it is asked for twice: with --use-existing, and with --leave-messages for publishing or \
        --eat-messages for the other modes. CPU is user plus system time of the process during the measured part. \
        The measured part of publishing ends only when the broker has taken everything. With end-to-end, producers and \
        consumers run together, with confirms (--window) and acknowledgements (--prefetch); a latency is from the call \
        that publishes a message to its delivery, and what is behind when the time is over has one second more.

        --compare takes runs as alike that have the same mode, size and options, but for how long they were and of \
        which broker: so it compares two brokers, or two versions of one. Of what scripts/bench.sh wrote, client, broker \
        and row of the table have to be the same as well.
        """,
        examples: "rmq perf publish-confirm --messages 100000 --size 1000",
        "rmq perf consume-ack --connections 2 --consumers 8",
        "rmq perf rpc --messages 10000 --tasks 100 --json",
        "rmq perf end-to-end --queue-type quorum --producers 4 --consumers 4 --ramp 0-5000:30s,5000:1m",
        "rmq perf --compare before.json after.json",
        "rmq perf --compare classic.json quorum.json --across queue-type"
    )

    enum Mode: String, CaseIterable, ExpressibleByArgument {
        case publish
        case publishConfirm = "publish-confirm"
        case consume
        case consumeAck = "consume-ack"
        case pingPong = "ping-pong"
        case connect
        case confirm
        case get
        case codable
        case rpc
        case endToEnd = "end-to-end"
        case handle
        case declare
        case idle
        case delay
    }

    @Argument(help: "What to measure.")
    var mode: Mode?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Measure nothing, but compare two files of what --json prints; of several runs alike, the medians.",
            valueName: "file"
        ),
        completion: .file()
    )
    var compare: [String] = []

    @Option(
        help: ArgumentHelp(
            "With --compare: compare also runs that differ in this option, such as queue-type; repeatable.",
            valueName: "option"
        )
    )
    var across: [String] = []

    @OptionGroup var options: PerfOptions

    func validate() throws {
        guard across.isEmpty || !compare.isEmpty else { throw ValidationError("--across needs --compare.") }
        if compare.isEmpty { return try options.validate(for: wantedMode()) }
        guard compare.count == 2 else { throw ValidationError("--compare takes two files.") }
        guard mode == nil else { throw ValidationError("With --compare nothing is measured: give no mode.") }
        // `tls` is what the URI says, also that of a variable.
        if let name = options.settings.keys.filter({ $0 != "tls" }).min() {
            throw ValidationError("With --compare nothing is measured: give no --\(name).")
        }
    }

    private func wantedMode() throws -> Mode {
        guard let mode else {
            let names = Mode.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("What is to be measured? One of \(names).")
        }
        return mode
    }

    func run() async throws {
        if compare.isEmpty { return try await run(wantedMode()) }
        try PerfComparison(compare[0], compare[1], across: Set(across)).say(asJSON: options.json)
    }

    private func run(_ mode: Mode) async throws {
        var options = options
        if [.consume, .consumeAck, .handle, .get].contains(mode) {
            // What is consumed has to be there before.
            options.mostMessages = options.mostMessages ?? PerfOptions.usualMessages
        }
        let base = ProcessStatus.now
        let progress = Progress(
            total: options.messages,
            seconds: options.seconds,
            isShown: !options.json && mode != .endToEnd
        )
        defer { progress.finish() }
        let ready = options
        let result = try await Interruption.cancelling {
            try await HangWatch.run(progress, limit: ready.hangAfter.duration) {
                try await Self.measure(mode, ready, progress)
            }
        }
        progress.finish()
        let report = PerfReport(mode: mode.rawValue, options: options, result: result, base: base)
        // The chart is made also where the output can't be written.
        let written = Result { try Terminal.say(options.json ? report.json() : report.table()) }
        if let chart = options.load.chart { try report.draw(to: chart) }
        try written.get()
    }

    private static func measure(
        _ mode: Mode,
        _ options: PerfOptions,
        _ progress: Progress
    ) async throws -> PerfResult {
        switch mode {
        case .publish: try await PublishMode(options: options, progress: progress, confirms: false).run()
        case .publishConfirm where options.oneAtATime: try await ConfirmMode(options: options, progress: progress).run()
        case .publishConfirm: try await PublishMode(options: options, progress: progress, confirms: true).run()
        case .consume: try await ConsumeMode(options: options, progress: progress, acknowledges: false).run()
        case .consumeAck: try await ConsumeMode(options: options, progress: progress, acknowledges: true).run()
        case .handle:
            try await ConsumeMode(options: options, progress: progress, acknowledges: true, handles: true).run()
        case .pingPong: try await PingPongMode(options: options, progress: progress).run()
        case .confirm: try await ConfirmMode(options: options, progress: progress).run()
        case .get: try await GetMode(options: options, progress: progress).run()
        case .codable: try await CodableMode(options: options, progress: progress).run()
        case .rpc: try await RPCMode(options: options, progress: progress).run()
        case .endToEnd: try await EndToEndMode(options: options, progress: progress).run()
        case .connect: try await ConnectMode(options: options, progress: progress).run()
        case .declare: try await DeclareMode(options: options, progress: progress).run()
        case .idle: try await IdleMode(options: options, progress: progress).run()
        case .delay: try await DelayMode(options: options, progress: progress).run()
        }
    }
}
#endif

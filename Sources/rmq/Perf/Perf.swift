internal import ArgumentParser
internal import RabbitMQ

/// Measures what the library's public API does, as any program would use it.
struct Perf: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures publishing, consuming and round trips.",
        discussion: """
            Declares what it needs: a queue that is auto-deleted and not durable, unless --queue names one that exists. \
            CPU is user plus system time of the process during the measured part. The measured part of publishing ends \
            only when the broker has taken everything.
            """
    )

    enum Mode: String, CaseIterable, ExpressibleByArgument {
        case publish
        case publishConfirm = "publish-confirm"
        case consume
        case consumeAck = "consume-ack"
        case pingPong = "ping-pong"
        case connect
    }

    @Argument(help: "What to measure.")
    var mode: Mode

    @OptionGroup var options: PerfOptions

    func run() async throws {
        let progress = Progress(total: options.messages, isShown: !options.json)
        let result: PerfResult
        switch mode {
        case .publish: result = try await PublishMode(options: options, progress: progress, confirms: false).run()
        case .publishConfirm:
            result = try await PublishMode(options: options, progress: progress, confirms: true).run()
        case .consume: result = try await ConsumeMode(options: options, progress: progress, acknowledges: false).run()
        case .consumeAck: result = try await ConsumeMode(options: options, progress: progress, acknowledges: true).run()
        case .pingPong: result = try await PingPongMode(options: options, progress: progress).run()
        case .connect: result = try await ConnectMode(options: options, progress: progress).run()
        }
        progress.finish()
        let report = PerfReport(mode: mode.rawValue, options: options, result: result)
        print(options.json ? try report.json() : report.table())
    }
}

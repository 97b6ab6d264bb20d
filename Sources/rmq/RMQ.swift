#if Tool
internal import ArgumentParser

@main
struct RMQ: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmq",
        abstract: "Uses a RabbitMQ broker.",
        subcommands: [Demo.self, Perf.self]
    )
}
#endif

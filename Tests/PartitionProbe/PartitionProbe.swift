internal import Glibc
internal import Logging
internal import RabbitMQ

/// Partitions on a cluster, a node of which is killed, for `scripts/demo.sh --cluster`, which kills it.
///
/// `PartitionProbe MESSAGES FILE URI URI...` has a publisher and a worker on each node, and publishes half of the messages; says
/// `half`, and goes on slowly until there is that file, by which it hears that the second node is gone; then publishes the
/// other half. It prints what it checks; the exit status is 0 only if all of it is so.
@main
struct PartitionProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 4, let messages = Int(arguments[1]), messages > 0 else {
            print("usage: PartitionProbe MESSAGES FILE URI URI...")
            exit(64)
        }
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        let run = PartitionRun(
            nodes: try arguments.dropFirst(3).map { try ConnectionConfiguration(uri: $0) },
            messages: messages,
            file: arguments[2]
        )
        let isWell = try await run.run()
        fflush(nil)
        exit(isWell ? 0 : 1)
    }
}

/// Prints a line at once.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

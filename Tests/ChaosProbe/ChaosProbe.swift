internal import Glibc
internal import Logging
internal import RabbitMQ

/// An application that knows nothing of lost connections, for `scripts/chaos.sh`, which makes it lose them.
///
/// - `traffic` publishes and consumes, and writes down when what was confirmed and delivered.
/// - `topology` has many queues, bindings and consumers, and compares their recovery to making them on a fresh connection.
/// - `outage` has many connections, and counts their tries while there is no broker.
@main
struct ChaosProbe {
    static func main() async throws {
        let options = Options(CommandLine.arguments)
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        switch options.mode {
        case "traffic": try await Traffic(options).run()
        case "topology": try await TopologyRun(options).run()
        case "outage": try await OutageRun(options).run()
        default:
            print("usage: ChaosProbe traffic|topology|outage --uri URI [--OPTION VALUE]...")
            exit(64)
        }
        fflush(nil)
    }
}

/// A mode, and options with a value each.
struct Options: Sendable {
    let mode: String
    private var values: [String: String] = [:]

    init(_ arguments: [String]) {
        mode = arguments.count > 1 ? arguments[1] : ""
        var rest = arguments.dropFirst(2)
        while let name = rest.popFirst(), let value = rest.popFirst() { values[name] = value }
    }

    func text(_ name: String, _ otherwise: String) -> String { values["--\(name)"] ?? otherwise }

    func number(_ name: String, _ otherwise: Int) -> Int { values["--\(name)"].flatMap(Int.init) ?? otherwise }

    var configuration: ConnectionConfiguration {
        get throws {
            var configuration = try ConnectionConfiguration(uri: text("uri", "amqp://127.0.0.1"))
            // All that the application says about recovery.
            configuration.recovery.unconfirmed = .resend
            return configuration
        }
    }
}

/// Microseconds since 1970, which other processes count too.
var microseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// User and system time of the process, in seconds.
var processSeconds: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let (user, system) = (usage.ru_utime, usage.ru_stime)
    return Double(user.tv_sec + system.tv_sec) + Double(user.tv_usec + system.tv_usec) / 1_000_000
}

extension Duration {
    var inSeconds: Double { self / .seconds(1) }
}

/// Prints a line at once.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

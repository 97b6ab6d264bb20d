internal import Glibc
internal import RabbitMQ

/// Connects in a process that has few descriptors left, and prints what comes of it.
///
/// Called with how many are free, the host and the port. With a fourth argument the process has connected before, and
/// publishes when descriptors are short.
@main
struct DescriptorProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 3, let free = Int(arguments[1]), let port = Int(arguments[3]) else { exit(2) }
        var configuration = ConnectionConfiguration(host: arguments[2], port: port)
        configuration.connectTimeout = .seconds(20)
        if arguments.count > 4 {
            let connection = try await Connection.connect(configuration)
            leave(free)
            try await publish(on: connection)
            print("published, then \(await outcome(of: configuration))")
            await connection.close()
        } else {
            leave(free)
            print(await outcome(of: configuration))
        }
        // Without the runtime's own end, which may need a descriptor.
        fflush(nil)
        _exit(0)
    }

    private static func outcome(of configuration: ConnectionConfiguration) async -> String {
        do {
            let connection = try await Connection.connect(configuration)
            await connection.close()
            return "connected"
        } catch {
            return "\(error)"
        }
    }

    /// Enough to have the link write in batches.
    private static func publish(on connection: Connection) async throws {
        let channel = try await connection.openChannel()
        let exchange = try await channel.declareExchange("")
        let message = Message(body: [UInt8](repeating: 1, count: 200))
        for _ in 0..<10_000 { try await exchange.publish(message, routingKey: "nowhere", mandatory: false) }
        try await channel.setQos()
    }

    /// Takes all descriptors but a few.
    private static func leave(_ free: Int) {
        var limit = rlimit(rlim_cur: 64, rlim_max: 64)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var taken: [Int32] = []
        while case let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC), descriptor >= 0 {
            taken.append(descriptor)
        }
        for descriptor in taken.suffix(free) { close(descriptor) }
    }
}

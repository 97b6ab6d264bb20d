internal import Glibc
internal import RabbitMQ
internal import Synchronization

/// Looks at the descriptors of a process of its own.
///
/// - `first FREE HOST PORT` connects where so many descriptors are free, and prints what comes of it.
/// - `later FREE HOST PORT` has connected before, and publishes when descriptors are short.
/// - `many FREE COUNT HOST PORT` connects so many times at once to a peer that says nothing, and prints how many
///   descriptors are free when each has its socket or has failed.
/// - `inherited HOST PORT TLS-PORT CA-FILE` connects, and prints what a program that it starts would have open.
/// - `forked HOST PORT` prints what a program that it starts has open, connects, prints it again, has a child end that
///   runs no program, and publishes.
@main
struct DescriptorProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        switch arguments.count > 1 ? arguments[1] : "" {
        case "first" where arguments.count == 5:
            let configuration = configuration(arguments[3], arguments[4])
            leave(Int(arguments[2]) ?? 0)
            print(await outcome(of: configuration))
        case "later" where arguments.count == 5:
            let configuration = configuration(arguments[3], arguments[4])
            let connection = try await Connection.connect(configuration)
            leave(Int(arguments[2]) ?? 0)
            try await publish(on: connection)
            print("published, then \(await outcome(of: configuration))")
            await connection.close()
        case "many" where arguments.count == 6:
            let configuration = configuration(arguments[4], arguments[5])
            leave(Int(arguments[2]) ?? 0)
            try await connectAtOnce(Int(arguments[3]) ?? 0, configuration)
        case "inherited" where arguments.count == 6:
            let others = inherited
            var encrypted = configuration(arguments[2], arguments[4])
            encrypted.tls = ConnectionConfiguration.TLS(trustRoots: [.file(arguments[5])])
            for configuration in [configuration(arguments[2], arguments[3]), encrypted] {
                let connection = try await Connection.connect(configuration)
                try await publish(on: connection)
                print(inherited.filter { !others.contains($0) })
                await connection.close()
            }
        case "forked" where arguments.count == 4:
            list()
            let connection = try await Connection.connect(configuration(arguments[2], arguments[3]))
            try await publish(on: connection)
            list()
            Child.run { _exit(0) }
            try await publish(on: connection)
            print("goes on: \(connection.isOpen)")
            await connection.close()
        default: exit(2)
        }
        // Without the runtime's own end, which may need a descriptor.
        fflush(nil)
        _exit(0)
    }

    private static func configuration(_ host: String, _ port: String) -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration(host: host, port: Int(port) ?? 0)
        configuration.connectTimeout = .seconds(20)
        return configuration
    }

    /// Has another program print which descriptors it has, its own of the folder among them.
    private static func list() {
        let words: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/ls"), strdup("/proc/self/fd"), nil]
        fflush(nil)
        Child.run {
            if let program = words[0] { execv(program, words) }
            _exit(1)
        }
        for word in words { free(word) }
        print("--")
    }

    /// The descriptors that stay open when another program is started.
    private static var inherited: [Int32] {
        (0..<Int32(getdtablesize())).filter { descriptor in
            let flags = fcntl(descriptor, F_GETFD)
            return flags >= 0 && flags & FD_CLOEXEC == 0
        }
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

    private static let failures = Mutex(0)

    /// The connects that wait end with the process.
    private static func connectAtOnce(_ count: Int, _ configuration: ConnectionConfiguration) async throws {
        let before = taken.sockets
        for _ in 0..<count {
            Task {
                _ = try? await Connection.connect(configuration)
                failures.withLock { $0 += 1 }
            }
        }
        let end = ContinuousClock.now + .seconds(60)
        while case let done = taken.sockets - before + failures.withLock({ $0 }), done < count {
            guard ContinuousClock.now < end else { return print("after a minute only \(done) have a socket or failed") }
            try await Task.sleep(for: .milliseconds(10))
        }
        print("\(Int(getdtablesize()) - taken.all) are free")
    }

    /// How many descriptors are open. To look takes none.
    private static var taken: (all: Int, sockets: Int) {
        var (all, sockets) = (0, 0)
        for descriptor in 0..<Int32(getdtablesize()) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { continue }
            all += 1
            if status.st_mode & S_IFMT == S_IFSOCK { sockets += 1 }
        }
        return (all, sockets)
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

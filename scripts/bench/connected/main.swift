// A program that has one connection with a channel, and nothing else: what the library takes of a service's memory and
// threads. `rmq perf idle` has all of the tool in its memory as well. It speaks just as much of the peers' convention as
// that needs.

import RabbitMQ

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A number of those that the system tells of this process; 0 if it doesn't.
func status(_ name: String) -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let text = String(cString: line)
        guard text.hasPrefix(name + ":") else { continue }
        return Int(text.drop(while: { !$0.isNumber }).prefix(while: { $0.isNumber })) ?? 0
    }
    return 0
}

/// What stands behind an option; nil if it is not there.
func option(_ name: String) -> String? {
    let arguments = CommandLine.arguments
    guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
    return arguments[place + 1]
}

guard CommandLine.arguments.dropFirst().first == "idle", option("--connections") ?? "1" == "1", let uri = option("--uri")
else { exit(3) }
try await Connection.withConnection(ConnectionConfiguration(uri: uri)) { connection in
    let channel = try await connection.openChannel()
    // What connecting has begun ends meanwhile: Dispatch keeps a thread for five seconds behind its last work.
    // A task that sleeps would need some of them to go on.
    _ = sleep(8)
    let memory = Double(status("VmRSS")) / 1024
    print(
        "{\"client\":\"connected\",\"mode\":\"idle\",\"messages\":1,\"size\":0,\"seconds\":1,\"rate\":1,\"cpu_seconds\":0,"
            + "\"cpu_us_per_message\":0,\"peak_rss_mb\":\(Double(status("VmHWM")) / 1024),\"rss_mb\":\(memory),"
            + "\"threads\":\(status("Threads"))}"
    )
    try await channel.close()
}

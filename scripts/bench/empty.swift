// A Swift program that does nothing: what every one takes, before it connects to anything. It speaks just as much of the
// peers' convention as that needs.

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

let arguments = CommandLine.arguments
let place = arguments.firstIndex(of: "--connections")
let connections = place.flatMap { $0 + 1 < arguments.count ? Int(arguments[$0 + 1]) : nil } ?? 1
guard arguments.count > 1, arguments[1] == "idle", connections == 1 else { exit(3) }
let memory = Double(status("VmRSS")) / 1024
print(
    "{\"client\":\"empty\",\"mode\":\"idle\",\"messages\":1,\"size\":0,\"seconds\":1,\"rate\":1,\"cpu_seconds\":0,"
        + "\"cpu_us_per_message\":0,\"peak_rss_mb\":\(memory),\"rss_mb\":\(memory),\"threads\":\(status("Threads"))}"
)

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a process takes, in as much of the peers' convention as that needs.
public enum Status {
    /// Prints it for a program of this name.
    public static func report(_ client: String) {
        let memory = (peak: megabytes("VmHWM"), now: megabytes("VmRSS"))
        print(
            "{\"client\":\"\(client)\",\"mode\":\"idle\",\"messages\":1,\"size\":0,\"seconds\":1,\"rate\":1,"
                + "\"cpu_seconds\":0,\"cpu_us_per_message\":0,\"peak_rss_mb\":\(memory.peak),\"rss_mb\":\(memory.now),"
                + "\"threads\":\(number("Threads"))}"
        )
    }

    /// What stands behind an option; nil if it is not there.
    public static func option(_ name: String) -> String? {
        let arguments = CommandLine.arguments
        guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
        return arguments[place + 1]
    }

    /// Ends a program that was asked for anything but to be idle, with one connection at the most.
    public static func requireIdle() {
        let isIdle = CommandLine.arguments.dropFirst().first == "idle"
        guard isIdle, option("--connections") ?? "1" == "1" else { exit(3) }
    }

    private static func megabytes(_ name: String) -> Double { Double(number(name)) / 1024 }

    /// A number of those that the system tells of this process; 0 if it doesn't.
    private static func number(_ name: String) -> Int {
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
}

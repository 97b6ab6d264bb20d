#if Tool
internal import Foundation

/// What Linux says of this process.
struct ProcessStatus {
    /// Resident memory in MiB.
    let megabytes: Double
    let threads: Int

    /// As it is now; nil where the system doesn't tell.
    static var now: ProcessStatus? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        func number(_ name: String) -> Int? {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }) else { return nil }
            return Int(line.drop(while: { !$0.isNumber }).prefix(while: { $0.isNumber }))
        }
        guard let kilobytes = number("VmRSS"), let threads = number("Threads") else { return nil }
        return ProcessStatus(megabytes: Double(kilobytes) / 1024, threads: threads)
    }
}
#endif

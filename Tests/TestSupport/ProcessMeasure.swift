internal import Foundation
internal import Glibc

/// What this process holds, as Linux counts it.
public enum ProcessMeasure {
    public static var openDescriptors: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    }

    public static var threads: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
    }

    /// Resident memory in bytes.
    public static var residentMemory: Int {
        get throws {
            let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(getpagesize())
        }
    }

    /// Whether a sanitizer is in the process, whose own memory grows with what it has seen.
    public static var isSanitized: Bool {
        #if SANITIZE_THREAD || SANITIZE_ADDRESS
        true
        #else
        false
        #endif
    }

    /// Waits until the process takes no more memory.
    public static func waitForSettledMemory() async throws {
        var last = try residentMemory
        var unchanged = 0
        try await eventually("memory has settled", within: .seconds(30)) {
            let now = try residentMemory
            unchanged = abs(now - last) < 256 << 10 ? unchanged + 1 : 0
            last = now
            return unchanged == 100
        }
    }

    public struct Leak: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    /// Runs `cycle` many times, and fails if descriptors are left over or memory grows by more than 8 MB after the first
    /// quarter. For a process that does nothing else.
    public static func cycles(
        _ count: Int,
        lanes: Int,
        _ cycle: @escaping @Sendable () async throws -> Void
    ) async throws {
        func run(_ count: Int) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<lanes {
                    group.addTask { for _ in 0..<(count / lanes) { try await cycle() } }
                }
                try await group.waitForAll()
            }
        }
        // What is opened once and kept, by Dispatch and the concurrency runtime, is open after this.
        try await run(lanes * 4)
        let descriptors = try await settledDescriptors()
        try await run(count / 4)
        let memory = try residentMemory
        try await run(count - count / 4)
        do {
            try await eventually("the descriptors are closed again", within: .seconds(30)) {
                try openDescriptors <= descriptors
            }
        } catch is ConditionTimeout {
            throw Leak(description: "more than \(descriptors) descriptors: \(try describedDescriptors())")
        }
        let growth = try residentMemory - memory
        guard growth < 8 << 20 || isSanitized else {
            throw Leak(description: "\(growth) bytes more after \(count) cycles")
        }
    }

    private static func describedDescriptors() throws -> String {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
            .compactMap { try? $0 + " " + FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
            .sorted().joined(separator: ", ")
    }

    /// How many descriptors are open when no more are being closed.
    private static func settledDescriptors() async throws -> Int {
        var last = try openDescriptors
        var unchanged = 0
        try await eventually("descriptors have settled") {
            let now = try openDescriptors
            unchanged = now == last ? unchanged + 1 : 0
            last = now
            return unchanged == 20
        }
        return last
    }
}

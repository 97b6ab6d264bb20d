internal import Glibc
internal import Synchronization

/// A file of lines, which are written a moment later, and the awaits that are under way.
final class Record: Sendable {
    private struct Await {
        let what: String
        let start: ContinuousClock.Instant
        let deadline: Duration
    }

    private struct State {
        var bytes: [UInt8] = []
        var awaits: [Int: Await] = [:]
        var lastAwait = 0
    }

    /// How much later than its deadline an await may end.
    private static let slack = Duration.seconds(1)

    private let descriptor: CInt
    private let state = Mutex(State())

    init(_ path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    }

    func add(_ line: String) {
        state.withLock { state in
            state.bytes.append(contentsOf: line.utf8)
            state.bytes.append(10)
        }
    }

    /// Awaits something that has a deadline. A line says so if it does not keep it.
    func watch<R: Sendable>(
        _ what: String,
        _ deadline: Duration,
        _ body: @Sendable () async throws -> R
    ) async throws -> R {
        let number = state.withLock { state in
            state.lastAwait += 1
            state.awaits[state.lastAwait] = Await(what: what, start: .now, deadline: deadline)
            return state.lastAwait
        }
        defer { state.withLock { _ = $0.awaits.removeValue(forKey: number) } }
        return try await body()
    }

    func writeForEver() async {
        var round = 0
        while !Task.isCancelled {
            write()
            round += 1
            if round % 50 == 0 { reportHangs() }
            try? await Task.sleep(for: .milliseconds(20))
        }
        write()
    }

    func write() {
        let bytes = state.withLock { state in
            let bytes = state.bytes
            state.bytes.removeAll(keepingCapacity: true)
            return bytes
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func reportHangs() {
        let now = ContinuousClock.now
        let hanging = state.withLock { state in
            let hanging = state.awaits.filter { now - $0.value.start > $0.value.deadline + Self.slack }
            for number in hanging.keys { state.awaits[number] = nil }
            return hanging
        }
        for each in hanging.values { add("h \(microseconds) \(each.what) \((now - each.start).inSeconds)") }
    }
}

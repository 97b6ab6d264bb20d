#if Tool
internal import Foundation
internal import Synchronization

/// Sees to it that a run which hangs is an error, and does not wait for ever.
enum HangWatch {
    /// How long what was given up may take to take back what it has made.
    private static let grace = Duration.seconds(60)

    private final class Finding: Sendable {
        let isHanging = Atomic<Bool>(false)
    }

    /// Runs `body`, and cancels it if nothing has gone on for so long. If that does not end it either, the process ends.
    ///
    /// - Throws: What `body` throws; `PerfError` if it hung.
    static func run<R: Sendable>(
        _ progress: Progress,
        limit: Duration,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let finding = Finding()
        let work = Task { try await body() }
        let watch = Task {
            try await waitForHang(progress, limit)
            finding.isHanging.store(true, ordering: .relaxed)
            work.cancel()
            try await Task.sleep(for: grace)
            Terminal.complain("Error: \(failure(progress, limit))")
            exit(1)
        }
        defer { watch.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                work.cancel()
            }
        } catch {
            guard finding.isHanging.load(ordering: .relaxed) else { throw error }
            throw failure(progress, limit)
        }
    }

    private static func failure(_ progress: Progress, _ limit: Duration) -> PerfError {
        PerfError("It hangs: after \(progress.count) messages, nothing has gone on for \(limit).")
    }

    /// Returns when nothing has gone on for so long.
    private static func waitForHang(_ progress: Progress, _ limit: Duration) async throws {
        let step = min(limit / 10, .seconds(1))
        var (signs, quiet) = (progress.signsOfLife, Duration.zero)
        while quiet < limit {
            try await Task.sleep(for: step)
            let now = progress.signsOfLife
            // Not by the clock: a process that was stopped meanwhile did not hang.
            quiet = now == signs ? quiet + step : .zero
            signs = now
        }
    }
}
#endif

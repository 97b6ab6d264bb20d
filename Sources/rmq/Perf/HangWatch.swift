#if Tool
internal import Foundation
internal import Synchronization

/// Sees to it that a run which hangs is an error, and does not wait for ever; nor does one go on that nobody waits for.
enum HangWatch {
    /// How long what was given up may take to take back what it has made.
    private static let grace = Duration.seconds(60)

    /// Why a run is given up.
    private enum Reason {
        case hangs, isInterrupted
        /// Who would read its result has gone, and has not told it to end.
        case isUnread
    }

    private final class Finding: Sendable {
        private let first = Mutex<Reason?>(nil)

        var reason: Reason? { first.withLock { $0 } }

        func note(_ reason: Reason) { first.withLock { $0 = $0 ?? reason } }
    }

    /// Runs `body`, and cancels it if nothing has gone on for so long, or if nobody can read its result any more. If that
    /// does not end it either, nor an interruption does, the process ends.
    ///
    /// - Throws: What `body` throws; `PerfError` if it hung, `BrokenOutput` if nobody reads.
    static func run<R: Sendable>(
        _ progress: Progress,
        limit: Duration,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let finding = Finding()
        let work = Task { try await body() }
        let watch = Task {
            let reason = try await reasonToEnd(progress, limit, finding)
            finding.note(reason)
            work.cancel()
            try await Task.sleep(for: grace)
            Terminal.complain("Error: \(failure(reason, progress, limit))")
            exit(1)
        }
        defer { watch.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                finding.note(.isInterrupted)
                work.cancel()
            }
        } catch {
            switch finding.reason {
            case .hangs: throw failure(.hangs, progress, limit)
            case .isUnread:
                // A queue that is left behind is told where that is still read.
                if error is PerfError { throw error }
                throw BrokenOutput()
            case .isInterrupted, nil: throw error
            }
        }
    }

    private static func failure(_ reason: Reason, _ progress: Progress, _ limit: Duration) -> PerfError {
        switch reason {
        case .hangs:
            PerfError("It hangs: after \(progress.count) messages, nothing has gone on for \(limit).")
        case .isInterrupted, .isUnread:
            PerfError("It hangs: it was to end, and has not done so for \(grace).")
        }
    }

    /// Returns when nothing has gone on for so long, when nobody reads, or when it is to end.
    private static func reasonToEnd(
        _ progress: Progress,
        _ limit: Duration,
        _ finding: Finding
    ) async throws -> Reason {
        let step = min(limit / 10, .seconds(1))
        var (signs, quiet) = (progress.signsOfLife, Duration.zero)
        while quiet < limit {
            try await Task.sleep(for: step)
            if let reason = finding.reason { return reason }
            guard Terminal.hasReader else { return .isUnread }
            let now = progress.signsOfLife
            // Not by the clock: a process that was stopped meanwhile did not hang.
            quiet = now == signs ? quiet + step : .zero
            signs = now
        }
        return .hangs
    }
}
#endif

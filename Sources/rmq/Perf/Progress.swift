#if Tool
internal import Foundation
internal import Synchronization

/// A live line on a terminal: how far, how fast, how much CPU.
final class Progress: Sendable {
    private let done = Atomic<Int>(0)
    private let total: Int
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(total: Int, isShown: Bool) {
        self.total = total
        guard isShown, isatty(STDERR_FILENO) == 1 else { return }
        task.withLock { task in
            task = Task { [weak self] in
                var last = (count: 0, cpu: Meter.cpuSeconds, time: ContinuousClock.now)
                while (try? await Task.sleep(for: .milliseconds(500))) != nil, let self {
                    let now = (count: self.count, cpu: Meter.cpuSeconds, time: ContinuousClock.now)
                    let seconds = (now.time - last.time) / .seconds(1)
                    self.show(rate: Double(now.count - last.count) / seconds, load: (now.cpu - last.cpu) / seconds)
                    last = now
                }
            }
        }
    }

    /// How many are done.
    var count: Int { done.load(ordering: .relaxed) }

    /// Counts some as done.
    @discardableResult
    @inline(__always)
    func add(_ count: Int) -> Int { done.add(count, ordering: .relaxed).newValue }

    private func show(rate: Double, load: Double) {
        let percent = total == 0 ? 100 : min(100, count * 100 / total)
        let line = String(format: "\r%3d %%  %10.0f msg/s  %5.1f %% CPU ", percent, rate, load * 100)
        // Not by a file handle, which ends the process where the terminal is gone.
        try? Terminal.write(Array(line.utf8), to: STDERR_FILENO)
    }

    func finish() {
        let task = task.withLock { $0 }
        guard let task else { return }
        task.cancel()
        try? Terminal.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
    }
}
#endif

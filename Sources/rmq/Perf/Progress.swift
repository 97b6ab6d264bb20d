#if Tool
internal import Foundation
internal import Synchronization

/// A live line on a terminal: how far, how fast, how much CPU.
final class Progress: Sendable {
    private let done = Atomic<Int>(0)
    private let signs = Atomic<Int>(0)
    private let total: Int
    private let seconds: Double?
    private let start = ContinuousClock.now
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(total: Int, seconds: Double?, isShown: Bool) {
        self.total = total
        self.seconds = seconds
        guard isShown, LiveLine.isPossible else { return }
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

    /// Changes as long as something goes on, if that is no measured message only.
    var signsOfLife: Int { count &+ signs.load(ordering: .relaxed) }

    /// Tells that something goes on.
    func giveSign() { signs.add(1, ordering: .relaxed) }

    private func show(rate: Double, load: Double) {
        let part = Double(count) / Double(max(1, total))
        let passed = seconds.map { (ContinuousClock.now - start) / .seconds($0) } ?? 0
        let percent = Int(min(1, max(part, passed)) * 100)
        LiveLine.show(String(format: "%3d %%  %10.0f msg/s  %5.1f %% CPU ", percent, rate, load * 100))
    }

    func finish() {
        let task = task.withLock { $0 }
        guard let task else { return }
        task.cancel()
        LiveLine.clear()
    }
}
#endif

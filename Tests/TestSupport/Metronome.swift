internal import Synchronization

/// Measures by how much this machine is late at present, so that a test of times can allow for it.
public final class Metronome: Sendable {
    private let worst = Mutex(Duration.zero)
    private let task: Mutex<Task<Void, Never>?> = Mutex(nil)

    public init() {
        let ticking = Task { [weak self] in
            let tick = Duration.milliseconds(10)
            while !Task.isCancelled {
                let start = ContinuousClock.now
                try? await Task.sleep(for: tick)
                let late = ContinuousClock.now - start - tick
                guard let self else { return }
                worst.withLock { $0 = max($0, late) }
            }
        }
        task.withLock { $0 = ticking }
    }

    deinit { task.withLock { $0?.cancel() } }

    /// The longest that anything was late since the beginning.
    public var lateness: Duration { worst.withLock { $0 } }
}

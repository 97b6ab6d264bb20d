/// The broker's clock: it runs with the machine's, or stands, and can be moved.
struct BrokerClock {
    private var elapsed: Duration = .zero
    /// Since when it has been running on top of `elapsed`; nil while it stands.
    private var runningSince: ContinuousClock.Instant?

    init(isRunning: Bool) { if isRunning { runningSince = .now } }

    var isRunning: Bool { runningSince != nil }

    /// The time since it began.
    var now: Duration { elapsed + (runningSince.map { ContinuousClock.now - $0 } ?? .zero) }

    /// Far beyond all times to live, and near enough that sums of times and whole seconds of them don't overflow.
    private static let latest = Duration.seconds(1 << 40)

    mutating func advance(by duration: Duration) {
        elapsed = min(elapsed + min(max(duration, .zero), Self.latest), Self.latest)
    }

    mutating func stop() {
        elapsed = now
        runningSince = nil
    }

    mutating func run() { if runningSince == nil { runningSince = .now } }
}

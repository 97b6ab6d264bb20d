#if Tool
internal import Foundation

/// A line on a terminal that the next one takes the place of.
enum LiveLine {
    /// Whether there is a terminal.
    static var isPossible: Bool { isatty(STDERR_FILENO) == 1 }

    /// Not by a file handle, which ends the process where the terminal is gone.
    static func show(_ text: String) { try? Terminal.write(Array("\r\(text)\u{1B}[K".utf8), to: STDERR_FILENO) }

    static func clear() { show("") }
}

/// Says twice a second how far long work is, where there is a terminal. Of what is soon done it says nothing.
struct LiveCount {
    private static let interval = Duration.milliseconds(500)

    private let isWanted: Bool
    private var next = ContinuousClock.now + LiveCount.interval
    private var isShown = false

    /// - Parameter isWanted: Whether it is to be said at all.
    init(isWanted: Bool) { self.isWanted = isWanted && LiveLine.isPossible }

    mutating func show(_ text: @autoclosure () -> String) {
        guard isWanted, ContinuousClock.now >= next else { return }
        LiveLine.show(text())
        isShown = true
        next = ContinuousClock.now + Self.interval
    }

    /// Takes the line away, before anything else is written.
    mutating func clear() {
        if isShown { LiveLine.clear() }
        isShown = false
    }
}
#endif

/// The last frames in one direction: those of one method in a row on one channel are one entry, so that a flood of messages
/// doesn't wash away what came before.
///
/// `@unchecked Sendable` is safe because it is used under one lock, the outbox's, for what is sent, and on the link's queue
/// for what is received. For the same reason the exclusivity of its parts need not be checked at run time, with each message.
final class FrameLog: @unchecked Sendable {
    fileprivate struct Entry {
        /// Class and method, as on the wire; or one of those below.
        var method: UInt32
        var channel: UInt16
        var count = 0
        var bytes = 0
        /// In nanoseconds of ``MonotonicTime``; 0 while they are not known.
        var first: UInt64 = 0
        var last: UInt64 = 0
    }

    static let heartbeat: UInt32 = 0
    /// basic.publish.
    static let publish: UInt32 = 60 << 16 | 40
    private static let content: UInt32 = 1

    private struct Parts {
        /// The latest entry.
        var latest = Entry(method: .max, channel: 0)
        /// Those before it, in a ring.
        var earlier: [Entry] = []
        var start = 0
        var now: UInt64 = 0
    }

    private let limit: Int
    @exclusivity(unchecked) private var parts = Parts()

    /// - Parameter limit: How many entries to keep, at least 1.
    init(limit: Int) { self.limit = max(1, limit) }

    /// When what is noted happens, if that is known.
    var now: UInt64 {
        get { parts.now }
        set { parts.now = newValue }
    }

    /// Notes frames of a method, with the content that came with them.
    @inline(__always)
    func note(_ method: UInt32, _ channel: UInt16, bytes: Int, count: Int = 1) {
        if parts.latest.method != method || parts.latest.channel != channel { begin(method, channel) }
        parts.latest.count &+= count
        parts.latest.bytes &+= bytes
        parts.latest.last = parts.now
    }

    /// Notes content that belongs to the method before it.
    func noteContent(_ channel: UInt16, bytes: Int) {
        if parts.latest.channel != channel { begin(Self.content, channel) }
        parts.latest.bytes &+= bytes
        parts.latest.last = parts.now
    }

    @inline(never)
    private func begin(_ method: UInt32, _ channel: UInt16) {
        if parts.latest.method != .max {
            if parts.earlier.count < limit - 1 {
                parts.earlier.append(parts.latest)
            } else if limit > 1 {
                parts.earlier[parts.start] = parts.latest
                parts.start = (parts.start + 1) % parts.earlier.count
            }
        }
        parts.latest = Entry(method: method, channel: channel, first: parts.now)
    }

    /// A place to return to when what is noted next is taken back.
    struct Mark {
        fileprivate let latest: Entry
        fileprivate let count: Int
        fileprivate let start: Int
        /// What is lost if another entry begins.
        fileprivate let oldest: Entry?
    }

    var mark: Mark {
        let oldest: Entry? = parts.earlier.isEmpty ? nil : parts.earlier[parts.start]
        return Mark(latest: parts.latest, count: parts.earlier.count, start: parts.start, oldest: oldest)
    }

    /// Takes back what was noted since; one entry may have begun.
    func rewind(to mark: Mark) {
        if parts.earlier.count > mark.count {
            parts.earlier.removeLast()
        } else if let oldest = mark.oldest {
            parts.earlier[mark.start] = oldest
        }
        parts.start = mark.start
        parts.latest = mark.latest
    }

    /// Gives a time to all that was noted before it was known.
    func stamp(at time: UInt64) {
        guard parts.latest.last == 0 else { return }
        parts.latest.last = time
        if parts.latest.first == 0 { parts.latest.first = time }
        for index in parts.earlier.indices.reversed() {
            let place = (parts.start + index) % parts.earlier.count
            guard parts.earlier[place].last == 0 else { return }
            parts.earlier[place].last = time
            if parts.earlier[place].first == 0 { parts.earlier[place].first = time }
        }
    }

    /// Takes back for good what was noted last: so many bytes will never be written.
    func takeBack(_ bytes: Int) {
        guard bytes > 0 else { return }
        parts.earlier = entries(without: bytes)
        parts.start = 0
        parts.latest = parts.earlier.popLast() ?? Entry(method: .max, channel: 0)
    }

    /// From the earliest to the latest, without the last so many bytes. Of messages of one entry those stay that were begun,
    /// as if all were of one size.
    private func entries(without bytes: Int) -> [Entry] {
        var all = Array(parts.earlier[parts.start...] + parts.earlier[..<parts.start])
        if parts.latest.method != .max { all.append(parts.latest) }
        var left = bytes
        while left > 0, var last = all.popLast() {
            if last.bytes > left {
                let share = Double(last.bytes - left) / Double(last.bytes)
                last.count = Int((Double(last.count) * share).rounded(.up))
                last.bytes -= left
                all.append(last)
                break
            }
            left -= last.bytes
        }
        return all
    }

    /// The entries, from the earliest to the latest.
    ///
    /// - Parameter unwritten: How many bytes were noted that are not written yet.
    func entries(isSent: Bool, at time: UInt64, unwritten: Int = 0) -> [FlightRecording.Entry] {
        stamp(at: time)
        return entries(without: unwritten).map { entry in
            FlightRecording.Entry(
                isSent: isSent,
                method: Self.name(entry.method),
                channel: Int(entry.channel),
                count: entry.count,
                bytes: entry.bytes,
                age: .nanoseconds(Int64(clamping: time &- min(entry.first, time))),
                lastAge: .nanoseconds(Int64(clamping: time &- min(entry.last, time)))
            )
        }
    }

    private static func name(_ method: UInt32) -> String {
        switch method {
        case heartbeat: "heartbeat"
        case content: "content"
        default:
            MethodID(
                classID: UInt16(truncatingIfNeeded: method >> 16),
                methodID: UInt16(truncatingIfNeeded: method)
            ).description
        }
    }
}

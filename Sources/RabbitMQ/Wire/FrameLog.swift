/// The last frames in one direction: those of one method in a row on one channel are one entry, so that a flood of messages
/// doesn't wash away what came before.
///
/// `@unchecked Sendable` is safe because it is used under one lock, the outbox's, for what is sent, and on the link's queue
/// for what is received. For the same reason its exclusivity need not be checked at run time, with each message.
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
    private static let content: UInt32 = 1

    private let limit: Int
    /// The latest entry.
    @exclusivity(unchecked) private var latest = Entry(method: .max, channel: 0)
    /// Those before it, in a ring.
    @exclusivity(unchecked) private var earlier: [Entry] = []
    @exclusivity(unchecked) private var start = 0
    /// When what is noted happens, if that is known.
    @exclusivity(unchecked) var now: UInt64 = 0

    /// - Parameter limit: How many entries to keep, at least 1.
    init(limit: Int) { self.limit = max(1, limit) }

    /// Notes frames of a method, with the content that came with them.
    @inline(__always)
    func note(_ method: UInt32, _ channel: UInt16, bytes: Int, count: Int = 1) {
        if latest.method != method || latest.channel != channel { begin(method, channel) }
        latest.count &+= count
        latest.bytes &+= bytes
        latest.last = now
    }

    /// Notes content that belongs to the method before it.
    func noteContent(_ channel: UInt16, bytes: Int) {
        if latest.channel != channel { begin(Self.content, channel) }
        latest.bytes &+= bytes
        latest.last = now
    }

    @inline(never)
    private func begin(_ method: UInt32, _ channel: UInt16) {
        if latest.method != .max {
            if earlier.count < limit - 1 {
                earlier.append(latest)
            } else if limit > 1 {
                earlier[start] = latest
                start = (start + 1) % earlier.count
            }
        }
        latest = Entry(method: method, channel: channel, first: now)
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
        Mark(latest: latest, count: earlier.count, start: start, oldest: earlier.isEmpty ? nil : earlier[start])
    }

    /// Takes back what was noted since; one entry may have begun.
    func rewind(to mark: Mark) {
        if earlier.count > mark.count {
            earlier.removeLast()
        } else if let oldest = mark.oldest {
            earlier[mark.start] = oldest
        }
        start = mark.start
        latest = mark.latest
    }

    /// Gives a time to all that was noted before it was known.
    func stamp(at time: UInt64) {
        guard latest.last == 0 else { return }
        latest.last = time
        if latest.first == 0 { latest.first = time }
        for index in earlier.indices.reversed() {
            let place = (start + index) % earlier.count
            guard earlier[place].last == 0 else { return }
            earlier[place].last = time
            if earlier[place].first == 0 { earlier[place].first = time }
        }
    }

    /// Takes back for good what was noted last: so many bytes will never be written.
    func takeBack(_ bytes: Int) {
        guard bytes > 0 else { return }
        earlier = entries(without: bytes)
        start = 0
        latest = earlier.popLast() ?? Entry(method: .max, channel: 0)
    }

    /// From the earliest to the latest, without the last so many bytes. Of messages of one entry those stay that were begun,
    /// as if all were of one size.
    private func entries(without bytes: Int) -> [Entry] {
        var all = Array(earlier[start...] + earlier[..<start]) + (latest.method == .max ? [] : [latest])
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

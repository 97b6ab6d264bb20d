/// The last frames in one direction: those of one method in a row on one channel are one entry, so that a flood of messages
/// doesn't wash away what came before. Messages of several channels by turns are an entry each: a part of the entries is for
/// what comes more seldom, and is kept for longer.
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

        /// Whether it is neither messages, nor what settles them or asks for one, nor heartbeats.
        var isSeldom: Bool {
            let isOfMessages = method >> 16 == 60 && method & 0xFFFF >= 40
            return !isOfMessages && method > FrameLog.content
        }
    }

    static let heartbeat: UInt32 = 0
    /// basic.publish.
    static let publish: UInt32 = 60 << 16 | 40
    fileprivate static let content: UInt32 = 1

    /// Entries of which the oldest goes when there are too many.
    fileprivate struct Ring {
        private var entries: [Entry] = []
        private var start = 0
        private let limit: Int

        init(limit: Int) { self.limit = limit }

        var count: Int { entries.count }

        /// From the earliest to the latest.
        var all: [Entry] { Array(entries[start...] + entries[..<start]) }

        /// - Returns: What has to go, if anything.
        mutating func append(_ entry: Entry) -> Entry? {
            guard entries.count >= limit else {
                entries.append(entry)
                return nil
            }
            guard limit > 0 else { return entry }
            let oldest = entries[start]
            entries[start] = entry
            start = (start + 1) % limit
            return oldest
        }

        mutating func replaceAll(with others: ArraySlice<Entry>) {
            entries = Array(others)
            start = 0
        }

        /// Gives a time to the last ones that have none.
        ///
        /// - Returns: Whether it has given it to all.
        mutating func stamp(at time: UInt64) -> Bool {
            for index in entries.indices.reversed() {
                let place = (start + index) % entries.count
                guard entries[place].last == 0 else { return false }
                entries[place].last = time
                if entries[place].first == 0 { entries[place].first = time }
            }
            return true
        }

        struct Mark {
            fileprivate let count: Int
            fileprivate let start: Int
            /// What is lost if another entry is appended.
            fileprivate let oldest: Entry?
        }

        var mark: Mark { Mark(count: entries.count, start: start, oldest: entries.isEmpty ? nil : entries[start]) }

        /// Takes back what was appended since: one at the most.
        mutating func rewind(to mark: Mark) {
            if entries.count > mark.count {
                entries.removeLast()
            } else if let oldest = mark.oldest {
                entries[mark.start] = oldest
            }
            start = mark.start
        }
    }

    private struct Parts {
        /// The latest entry.
        var latest = Entry(method: .max, channel: 0)
        /// Those before it.
        var earlier: Ring
        /// Those before these that are no messages, nor what settles messages.
        var seldom: Ring
        var now: UInt64 = 0
    }

    @exclusivity(unchecked) private var parts: Parts

    /// - Parameter limit: How many entries to keep, at least 1.
    init(limit: Int) {
        let limit = max(1, limit)
        let seldom = limit / 4
        parts = Parts(earlier: Ring(limit: limit - 1 - seldom), seldom: Ring(limit: seldom))
    }

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
        let last = parts.latest
        if last.method != .max, let oldest = parts.earlier.append(last), oldest.isSeldom {
            _ = parts.seldom.append(oldest)
        }
        parts.latest = Entry(method: method, channel: channel, first: parts.now)
    }

    /// A place to return to when what is noted next is taken back.
    struct Mark {
        fileprivate let latest: Entry
        fileprivate let earlier: Ring.Mark
        fileprivate let seldom: Ring.Mark
    }

    var mark: Mark { Mark(latest: parts.latest, earlier: parts.earlier.mark, seldom: parts.seldom.mark) }

    /// Takes back what was noted since; one entry may have begun.
    func rewind(to mark: Mark) {
        parts.earlier.rewind(to: mark.earlier)
        parts.seldom.rewind(to: mark.seldom)
        parts.latest = mark.latest
    }

    /// Gives a time to all that was noted before it was known.
    func stamp(at time: UInt64) {
        guard parts.latest.last == 0 else { return }
        parts.latest.last = time
        if parts.latest.first == 0 { parts.latest.first = time }
        if parts.earlier.stamp(at: time) { _ = parts.seldom.stamp(at: time) }
    }

    /// Takes back for good what was noted last: so many bytes will never be written.
    func takeBack(_ bytes: Int) {
        guard bytes > 0 else { return }
        let left = entries(without: bytes)
        let seldom = min(parts.seldom.count, left.count)
        parts.seldom.replaceAll(with: left[..<seldom])
        var others = left[seldom...]
        parts.latest = others.popLast() ?? Entry(method: .max, channel: 0)
        parts.earlier.replaceAll(with: others)
    }

    /// From the earliest to the latest, without the last so many bytes. Of messages of one entry those stay that were begun,
    /// as if all were of one size.
    private func entries(without bytes: Int) -> [Entry] {
        var all = parts.seldom.all + parts.earlier.all
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

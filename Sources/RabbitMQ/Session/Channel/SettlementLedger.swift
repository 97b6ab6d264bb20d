internal import DequeModule

/// Which deliveries of a channel are settled, so that each is settled once, and which acknowledgements are still to be
/// written. A value; delivery tags as in AMQP 0-9-1, section 1.8.3.13.
struct SettlementLedger {
    private enum Entry: UInt8 {
        case unsettled
        /// Acknowledged by the application, which the broker has not been told.
        case acknowledged
        case settled
        /// Settled within a transaction that may still be rolled back.
        case settledForNow
    }

    enum Verdict {
        case accepted
        case alreadySettled
        case unknown
    }

    /// The tag of the first entry; all below it are settled.
    private var base: UInt64 = 1
    private var entries: Deque<Entry> = []
    /// Deliveries that came so far behind the last of `entries` that filling up to them would cost too much: there a
    /// delivery waits while many come that need no settling. What is missing is settled. Empty but for that.
    private var far = FarEntries<Entry>()
    /// Tags that are acknowledged, in the order of the calls.
    private var unwritten: [UInt64] = []

    /// How many deliveries wait for their settlement.
    private(set) var unsettledCount = 0

    /// Whether settlements count only with the next commit (tx.select).
    var isTransactional = false

    /// How many deliveries that needed no settling are counted in at once.
    private static let longestGap = 4096

    var hasUnwritten: Bool { !unwritten.isEmpty }

    /// How many deliveries are acknowledged that the broker has not been told of.
    var unwrittenCount: Int { unwritten.count }

    /// The tag behind the last that was counted in.
    var end: UInt64 { far.lastTag.map { $0 &+ 1 } ?? base &+ UInt64(entries.count) }

    /// The first delivery that waits for its settlement.
    var oldestUnsettled: UInt64? {
        guard unsettledCount > 0 else { return nil }
        if let index = entries.firstIndex(of: .unsettled) { return base + UInt64(index) }
        return far.firstTag { $0 == .unsettled }
    }

    /// Counts in a delivery that needs to be settled. Tags rise; those left out needed none.
    mutating func delivered(_ tag: UInt64) {
        if add(tag, .unsettled) { unsettledCount += 1 }
    }

    private mutating func add(_ tag: UInt64, _ entry: Entry) -> Bool {
        if entries.isEmpty, far.isEmpty, tag > base { base = tag }
        guard tag >= base else { return false }
        let index = Int(clamping: tag - base)
        guard index >= entries.count else { return false }
        guard far.isEmpty, index - entries.count <= Self.longestGap else {
            return far.append(tag, entry)
        }
        while entries.count < index { entries.append(.settled) }
        entries.append(entry)
        return true
    }

    private func index(_ tag: UInt64) -> Int? {
        tag >= base && tag - base < UInt64(entries.count) ? Int(tag - base) : nil
    }

    private func verdict(_ tag: UInt64) -> Verdict {
        guard tag >= base else { return tag == 0 ? .unknown : .alreadySettled }
        guard let entry = index(tag).map({ entries[$0] }) ?? far[tag] else { return .unknown }
        return entry == .unsettled ? .accepted : .alreadySettled
    }

    func isUnsettled(_ tag: UInt64) -> Bool {
        if case .accepted = verdict(tag) { true } else { false }
    }

    /// Whether nothing is left to be written for a delivery that was settled for good.
    func isSettled(_ tag: UInt64) -> Bool {
        guard tag >= base else { return tag != 0 }
        return (index(tag).map { entries[$0] } ?? far[tag]) == .settled
    }

    /// Settles a delivery, or all up to it that wait.
    private mutating func settle(_ tag: UInt64, multiple: Bool, as entry: Entry) {
        let last = index(tag)
        if let last {
            for index in (multiple ? 0 : last)...last where entries[index] == .unsettled {
                entries[index] = entry
                note(base + UInt64(index), entry)
            }
            return
        }
        if multiple {
            for index in entries.indices where entries[index] == .unsettled {
                entries[index] = entry
                note(base + UInt64(index), entry)
            }
        }
        for tag in multiple ? far.tags(upTo: tag) : [tag] where far[tag] == .unsettled {
            far[tag] = entry
            note(tag, entry)
        }
    }

    private mutating func note(_ tag: UInt64, _ entry: Entry) {
        unsettledCount -= 1
        if entry == .acknowledged { unwritten.append(tag) }
    }

    /// Notes an acknowledgement that ``takeAcknowledgements(_:)`` will write.
    ///
    /// - Parameter multiple: Whether all unsettled deliveries up to this one are meant.
    mutating func acknowledge(_ tag: UInt64, multiple: Bool) -> Verdict {
        let verdict = verdict(tag)
        if case .accepted = verdict { settle(tag, multiple: multiple, as: .acknowledged) }
        return verdict
    }

    /// Notes a rejection that the caller writes, behind the acknowledgements.
    mutating func reject(_ tag: UInt64, multiple: Bool) -> Verdict {
        let verdict = verdict(tag)
        guard case .accepted = verdict else { return verdict }
        settle(tag, multiple: multiple, as: isTransactional ? .settledForNow : .settled)
        trim()
        return .accepted
    }

    /// Settles deliveries that nobody will see, for the caller to write, behind the acknowledgements. Those that don't wait
    /// for it are left out.
    ///
    /// - Returns: Up to which one, at most, all that waited are among them, if they are more than one; and the others. So
    ///   that what a consumer leaves costs one frame, mostly.
    mutating func giveBack(_ tags: some Sequence<UInt64>) -> (upTo: UInt64?, others: ArraySlice<UInt64>) {
        var given: [UInt64] = []
        for tag in tags {
            guard case .accepted = verdict(tag) else { continue }
            settle(tag, multiple: false, as: isTransactional ? .settledForNow : .settled)
            given.append(tag)
        }
        given.sort()
        // What is settled within a transaction comes back with a rollback: each by itself.
        let left = isTransactional ? 0 : oldestUnsettled
        trim()
        let end = left.map { left in given.firstIndex { $0 > left } ?? given.count } ?? given.count
        guard end > 1 else { return (nil, given[...]) }
        return (given[end - 1], given[end...])
    }

    /// Gives the acknowledgements to write: one with `multiple` for all up to which everything is settled, one each for
    /// the others.
    mutating func takeAcknowledgements(_ write: (_ tag: UInt64, _ multiple: Bool) -> Void) {
        guard !unwritten.isEmpty else { return }
        if isTransactional {
            for tag in unwritten {
                if let index = index(tag) { entries[index] = .settledForNow } else { far[tag] = .settledForNow }
                write(tag, false)
            }
            unwritten.removeAll()
            return
        }
        var lastAcknowledged: UInt64 = 0
        var count = 0
        while let first = entries.first, first != .unsettled {
            if first == .acknowledged {
                lastAcknowledged = base
                count += 1
            }
            passFirst()
        }
        if count > 0 { write(lastAcknowledged, count > 1) }
        if count < unwritten.count {
            for tag in unwritten where tag >= base {
                if let index = index(tag) { entries[index] = .settled } else { far[tag] = .settled }
                write(tag, false)
            }
        }
        unwritten.removeAll(keepingCapacity: unwritten.count < 4096)
        gather()
    }

    /// Has deliveries wait again whose acknowledgements can't be written any more.
    ///
    /// - Returns: Whether there were any.
    mutating func takeBackAcknowledgements() -> Bool {
        guard hasUnwritten else { return false }
        for tag in unwritten {
            if let index = index(tag) { entries[index] = .unsettled } else { far[tag] = .unsettled }
        }
        unsettledCount += unwritten.count
        unwritten.removeAll()
        return true
    }

    /// Forgets all deliveries: the broker will deliver them again under new tags.
    mutating func forgetUnsettled() {
        for index in entries.indices where entries[index] == .unsettled { entries[index] = .settled }
        far.replace(.unsettled, by: .settled)
        unsettledCount = 0
        trim()
    }

    /// Ends a transaction: what was settled in it is settled, or waits to be settled again.
    mutating func endTransaction(commits: Bool) {
        for index in entries.indices where entries[index] == .settledForNow {
            entries[index] = commits ? .settled : .unsettled
            if !commits { unsettledCount += 1 }
        }
        let count = far.replace(.settledForNow, by: commits ? .settled : .unsettled)
        if !commits { unsettledCount += count }
        trim()
    }

    private mutating func trim() {
        while entries.first == .settled {
            passFirst()
        }
        gather()
    }

    private mutating func passFirst() {
        entries.removeFirst()
        // Whatever tag the peer has given: behind the largest comes 0.
        base &+= 1
    }

    /// Takes over what is far when nothing is before it any more.
    private mutating func gather() {
        far.dropFirst { $0 == .settled }
        guard entries.isEmpty, let first = far.popFirst() else { return }
        base = first.tag
        entries.append(first.entry)
        while let next = far.firstTag, next - base <= UInt64(entries.count + Self.longestGap),
            let entry = far.popFirst()?.entry
        {
            while base + UInt64(entries.count) < next { entries.append(.settled) }
            entries.append(entry)
        }
    }
}

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
    /// Tags in `entries` that are acknowledged, in the order of the calls.
    private var unwritten: [UInt64] = []

    /// How many deliveries wait for their settlement.
    private(set) var unsettledCount = 0

    /// Whether settlements count only with the next commit (tx.select).
    var isTransactional = false

    var hasUnwritten: Bool { !unwritten.isEmpty }

    /// Counts in a delivery that needs to be settled. Tags rise; those left out needed none.
    mutating func delivered(_ tag: UInt64) {
        if entries.isEmpty, tag > base { base = tag }
        guard tag >= base else { return }
        let index = Int(clamping: tag - base)
        // A broker counts by one. One that does not can't make us fill memory.
        guard index >= entries.count, index - entries.count < 1 << 20 else { return }
        while entries.count < index { entries.append(.settled) }
        entries.append(.unsettled)
        unsettledCount += 1
    }

    private func verdict(_ tag: UInt64) -> Verdict {
        guard tag >= base else { return tag == 0 ? .unknown : .alreadySettled }
        guard tag - base < UInt64(entries.count) else { return .unknown }
        return entries[Int(tag - base)] == .unsettled ? .accepted : .alreadySettled
    }

    /// Notes an acknowledgement that ``takeAcknowledgements(_:)`` will write.
    ///
    /// - Parameter multiple: Whether all unsettled deliveries up to this one are meant.
    mutating func acknowledge(_ tag: UInt64, multiple: Bool) -> Verdict {
        let verdict = verdict(tag)
        guard case .accepted = verdict else { return verdict }
        let last = Int(tag - base)
        for index in (multiple ? 0 : last)...last where entries[index] == .unsettled {
            entries[index] = .acknowledged
            unwritten.append(base + UInt64(index))
            unsettledCount -= 1
        }
        return .accepted
    }

    /// Notes a rejection that the caller writes now. Acknowledgements are written before it.
    mutating func reject(_ tag: UInt64, multiple: Bool) -> Verdict {
        let verdict = verdict(tag)
        guard case .accepted = verdict else { return verdict }
        let last = Int(tag - base)
        for index in (multiple ? 0 : last)...last where entries[index] == .unsettled {
            entries[index] = isTransactional ? .settledForNow : .settled
            unsettledCount -= 1
        }
        trim()
        return .accepted
    }

    /// Gives the acknowledgements to write: one with `multiple` for all up to which everything is settled, one each for
    /// the others.
    mutating func takeAcknowledgements(_ write: (_ tag: UInt64, _ multiple: Bool) -> Void) {
        guard !unwritten.isEmpty else { return }
        if isTransactional {
            for tag in unwritten {
                entries[Int(tag - base)] = .settledForNow
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
            entries.removeFirst()
            base += 1
        }
        if count > 0 { write(lastAcknowledged, count > 1) }
        if count < unwritten.count {
            for tag in unwritten where tag >= base {
                entries[Int(tag - base)] = .settled
                write(tag, false)
            }
        }
        unwritten.removeAll(keepingCapacity: unwritten.count < 4096)
    }

    /// Forgets all deliveries: the broker will deliver them again under new tags.
    mutating func forgetUnsettled() {
        for index in entries.indices where entries[index] == .unsettled { entries[index] = .settled }
        unsettledCount = 0
        trim()
    }

    /// Ends a transaction: what was settled in it is settled, or waits to be settled again.
    mutating func endTransaction(commits: Bool) {
        for index in entries.indices where entries[index] == .settledForNow {
            entries[index] = commits ? .settled : .unsettled
            if !commits { unsettledCount += 1 }
        }
        trim()
    }

    private mutating func trim() {
        while entries.first == .settled {
            entries.removeFirst()
            base += 1
        }
    }
}

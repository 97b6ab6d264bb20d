import TestSupport

@testable import RabbitMQ

/// The ledger of deliveries as a session uses it, beside a broker that counts what it hears.
struct SettlementLedgerModel: CheckedModel {
    enum Step: Sendable {
        case deliver(gap: UInt64)
        case deliverAgain(Int)
        case acknowledge(Int, multiple: Bool)
        case reject(Int, multiple: Bool)
        case write
        case giveBack(Int, count: Int)
        case recover
        case end(commits: Bool)
    }

    private let isTransactional: Bool
    private var ledger = SettlementLedger()
    private var last: UInt64 = 0
    /// What the application has not settled.
    private var unsettled: Set<UInt64> = []
    /// What it has acknowledged, and the broker has not heard of.
    private var acknowledged: Set<UInt64> = []
    /// What the broker waits for.
    private var outstanding: Set<UInt64> = []
    /// What was settled in the transaction.
    private var forNow: Set<UInt64> = []
    private var seen: [UInt64] = []

    init(_ random: inout SplitMix) {
        isTransactional = random.chance(0.25)
        ledger.isTransactional = isTransactional
    }

    static func step(_ random: inout SplitMix) -> Step {
        switch random.number(0...40) {
        case 0...17:
            let gaps: [UInt64] = [1, 1, 1, 1, 1, 2, 3, 17, 4096, 4097, 10_000, 1 << 40]
            return .deliver(gap: random.chance(0.9) ? 1 : random.pick(gaps))
        case 18: return .deliverAgain(random.number(0...1000))
        case 19...28: return .acknowledge(random.number(0...1000), multiple: random.chance(0.2))
        case 29...31: return .reject(random.number(0...1000), multiple: random.chance(0.2))
        case 32...37: return .write
        case 38: return .giveBack(random.number(0...1000), count: random.number(0...6))
        case 39: return .recover
        default: return .end(commits: random.chance(0.5))
        }
    }

    mutating func apply(_ step: Step) -> String? {
        switch step {
        case .deliver(let gap):
            last &+= gap
            guard last < .max / 2 else { return nil }
            ledger.delivered(last)
            unsettled.insert(last)
            outstanding.insert(last)
            seen.append(last)
        case .deliverAgain(let index):
            // A tag that came before means nothing new.
            let waiting = unsettled.sorted()
            if !waiting.isEmpty { ledger.delivered(waiting[index % waiting.count]) }
        case .acknowledge(let index, let multiple):
            guard let tag = tag(index) else { break }
            let verdict = ledger.acknowledge(tag, multiple: multiple)
            guard (verdict == .accepted) == unsettled.contains(tag) else { return "\(tag) is \(verdict)" }
            if verdict == .accepted {
                let meant = unsettled.filter { multiple ? $0 <= tag : $0 == tag }
                unsettled.subtract(meant)
                acknowledged.formUnion(meant)
            }
        case .reject(let index, let multiple):
            if let wrong = write() { return wrong }
            guard let tag = tag(index) else { break }
            let verdict = ledger.reject(tag, multiple: multiple)
            guard (verdict == .accepted) == unsettled.contains(tag) else { return "\(tag) is \(verdict)" }
            if verdict == .accepted, let wrong = hear(tag, multiple, among: unsettled) { return wrong }
        case .write: if let wrong = write() { return wrong }
        case .giveBack(let index, let count):
            if let wrong = write() { return wrong }
            let tags = (0..<count).compactMap { tag(index + $0) }
            let given = Set(tags).intersection(unsettled)
            let (upTo, others) = ledger.giveBack(tags)
            if let upTo, let wrong = hear(upTo, true, among: given) { return wrong }
            for tag in others { if let wrong = hear(tag, false, among: given) { return wrong } }
            guard given.isDisjoint(with: isTransactional ? unsettled : outstanding) else {
                return "not all were given back"
            }
        case .recover:
            if let wrong = write() { return wrong }
            ledger.forgetUnsettled()
            outstanding.subtract(unsettled)
            unsettled = []
        case .end(let commits):
            guard isTransactional else { break }
            if let wrong = write() { return wrong }
            ledger.endTransaction(commits: commits)
            if commits { outstanding.subtract(forNow) } else { unsettled.formUnion(forNow) }
            forNow = []
        }
        return invariants()
    }

    private func tag(_ index: Int) -> UInt64? {
        if index < 10 { return [0, 1, last &+ 1, .max][index % 4] }
        // Rather the latest, as what is old is settled.
        return seen.isEmpty ? nil : seen[max(0, seen.count - 1 - index % 60)]
    }

    private mutating func write() -> String? {
        var written: [(tag: UInt64, multiple: Bool)] = []
        ledger.takeAcknowledgements { written.append(($0, $1)) }
        for (tag, multiple) in written {
            if let wrong = hear(tag, multiple, among: acknowledged) { return wrong }
        }
        return acknowledged.isEmpty ? nil : "the broker does not hear of \(acknowledged)"
    }

    /// The broker is told that deliveries are settled; only of those in `meant` it may be.
    private mutating func hear(_ tag: UInt64, _ multiple: Bool, among meant: Set<UInt64>) -> String? {
        let waiting = isTransactional ? outstanding.subtracting(forNow) : outstanding
        let settled = waiting.filter { multiple ? $0 <= tag : $0 == tag }
        guard !settled.isEmpty else { return "the broker hears of \(tag), for which it does not wait" }
        guard settled.isSubset(of: meant) else { return "the broker hears of \(settled.subtracting(meant))" }
        if isTransactional { forNow.formUnion(settled) } else { outstanding.subtract(settled) }
        unsettled.subtract(settled)
        acknowledged.subtract(settled)
        return nil
    }

    private func invariants() -> String? {
        guard ledger.unsettledCount == unsettled.count else {
            return "\(ledger.unsettledCount) unsettled instead of \(unsettled.count)"
        }
        guard ledger.oldestUnsettled == unsettled.min() else { return "the oldest is another" }
        guard ledger.unwrittenCount == acknowledged.count else { return "\(ledger.unwrittenCount) unwritten" }
        return nil
    }

    mutating func finish() -> String? {
        for tag in unsettled.sorted() where ledger.acknowledge(tag, multiple: false) != .accepted {
            return "\(tag) can't be settled"
        }
        acknowledged.formUnion(unsettled)
        unsettled = []
        if let wrong = write() { return wrong }
        if isTransactional {
            ledger.endTransaction(commits: true)
            outstanding.subtract(forNow)
        }
        return outstanding.isEmpty ? invariants() : "the broker waits for \(outstanding)"
    }
}

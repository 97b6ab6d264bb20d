import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the ledger of deliveries")
struct SettlementLedgerTests {
    private func ledger(_ tags: some Sequence<UInt64>) -> SettlementLedger {
        var ledger = SettlementLedger()
        for tag in tags { ledger.delivered(tag) }
        return ledger
    }

    private func take(_ ledger: inout SettlementLedger) -> [String] {
        var written: [String] = []
        ledger.takeAcknowledgements { tag, multiple in written.append(multiple ? "..\(tag)" : "\(tag)") }
        return written
    }

    @Test func `all in order become one`() {
        var ledger = ledger(1...100)
        for tag in 1...100 as ClosedRange<UInt64> { #expect(ledger.acknowledge(tag, multiple: false) == .accepted) }
        #expect(ledger.hasUnwritten)
        #expect(take(&ledger) == ["..100"])
        #expect(!ledger.hasUnwritten)
        #expect(take(&ledger) == [])
    }

    @Test func `one alone is no multiple, nor is what stands behind one that waits`() {
        var ledger = ledger(1...6)
        _ = ledger.acknowledge(1, multiple: false)
        #expect(take(&ledger) == ["1"])
        _ = ledger.acknowledge(5, multiple: false)
        _ = ledger.acknowledge(3, multiple: false)
        #expect(take(&ledger) == ["5", "3"])
        _ = ledger.acknowledge(2, multiple: false)
        _ = ledger.acknowledge(4, multiple: false)
        #expect(take(&ledger) == ["..4"])
        #expect(ledger.unsettledCount == 1)
    }

    @Test func `what can't be written waits again`() {
        var ledger = ledger(1...3)
        _ = ledger.acknowledge(1, multiple: false)
        #expect(take(&ledger) == ["1"])
        _ = ledger.acknowledge(3, multiple: false)
        #expect(ledger.unsettledCount == 1)
        let (some, none) = (ledger.takeBackAcknowledgements(), ledger.takeBackAcknowledgements())
        #expect(some && !none)
        #expect(ledger.unsettledCount == 2 && !ledger.hasUnwritten)
        #expect(ledger.acknowledge(3, multiple: false) == .accepted)
    }

    @Test func `what is acknowledged counts as settled once it is written`() {
        var ledger = ledger(1...3)
        _ = ledger.acknowledge(2, multiple: false)
        #expect((0...4 as ClosedRange<UInt64>).map { ledger.isSettled($0) } == [false, false, false, false, false])
        _ = take(&ledger)
        _ = ledger.reject(1, multiple: false)
        #expect((0...4 as ClosedRange<UInt64>).map { ledger.isSettled($0) } == [false, true, true, false, false])
    }

    @Test func `each is settled once`() {
        var ledger = ledger(1...3)
        #expect(ledger.acknowledge(2, multiple: false) == .accepted)
        #expect(ledger.acknowledge(2, multiple: false) == .alreadySettled)
        #expect(ledger.reject(2, multiple: false) == .alreadySettled)
        _ = take(&ledger)
        #expect(ledger.acknowledge(2, multiple: true) == .alreadySettled)
        #expect(ledger.reject(1, multiple: false) == .accepted)
        #expect(ledger.acknowledge(1, multiple: false) == .alreadySettled)
        #expect(ledger.acknowledge(0, multiple: true) == .unknown)
        #expect(ledger.acknowledge(4, multiple: false) == .unknown)
        #expect(ledger.acknowledge(.max, multiple: true) == .unknown)
    }

    @Test func `what needed no settling is passed over`() {
        var ledger = ledger([5, 6, 9])
        for tag in [5, 6, 9] as [UInt64] { _ = ledger.acknowledge(tag, multiple: false) }
        #expect(take(&ledger) == ["..9"])
        ledger.delivered(20)
        #expect(ledger.acknowledge(15, multiple: false) == .alreadySettled)
        #expect(ledger.acknowledge(20, multiple: false) == .accepted)
        #expect(take(&ledger) == ["20"])
    }

    @Test func `a delivery far behind one that waits can be settled`() {
        var ledger = ledger([1, 3_000_000, 3_000_001, 9_000_000_000])
        #expect(ledger.unsettledCount == 4)
        #expect(ledger.acknowledge(3_000_000, multiple: false) == .accepted)
        #expect(ledger.acknowledge(3_000_000, multiple: false) == .alreadySettled)
        #expect(take(&ledger) == ["3000000"])
        #expect(ledger.acknowledge(1, multiple: false) == .accepted)
        #expect(ledger.acknowledge(9_000_000_000, multiple: false) == .accepted)
        #expect(Set(take(&ledger)) == ["1", "9000000000"])
        #expect(ledger.reject(3_000_001, multiple: false) == .accepted)
        #expect(ledger.unsettledCount == 0)
    }

    @Test func `tags that no broker gives neither trap nor fill memory`() {
        var ledger = ledger([0, 1, 1, .max, 2, .max - 1, 1 << 40, 1 << 41])
        for tag in [0, 1, 2, 3, 1 << 40, 1 << 41, .max - 1, .max] as [UInt64] {
            _ = ledger.acknowledge(tag, multiple: false)
            _ = ledger.reject(tag, multiple: true)
        }
        _ = take(&ledger)
        ledger.forgetUnsettled()
        #expect(ledger.unsettledCount == 0)
    }

    @Test(arguments: [[.max], [.max - 1, .max]] as [[UInt64]])
    func `the largest tag is settled as any other`(tags: [UInt64]) {
        var ledger = ledger(tags)
        let acknowledged = ledger.acknowledge(.max, multiple: true)
        #expect(acknowledged == .accepted)
        #expect(take(&ledger) == [tags.count > 1 ? "..\(UInt64.max)" : "\(UInt64.max)"])
        #expect(ledger.oldestUnsettled == nil)
        ledger = self.ledger(tags)
        let rejected = ledger.reject(.max, multiple: true)
        #expect(rejected == .accepted)
        #expect(ledger.unsettledCount == 0)
    }

    /// Sorted anew for each settlement, these would take minutes.
    @Test(arguments: [true, false])
    func `many deliveries whose tags lie far apart are settled one by one`(isHeadSettled: Bool) {
        var ledger = SettlementLedger()
        let tags = (1...20_000).map { UInt64($0) * 10_000 }
        for tag in tags { ledger.delivered(tag) }
        var written = 0
        for tag in isHeadSettled ? tags[...] : tags.dropFirst() {
            let verdict = ledger.acknowledge(tag, multiple: false)
            #expect(verdict == .accepted)
            ledger.takeAcknowledgements { _, _ in written += 1 }
        }
        #expect(written == (isHeadSettled ? 20_000 : 19_999))
        #expect(ledger.unsettledCount == (isHeadSettled ? 0 : 1))
        #expect(ledger.oldestUnsettled == (isHeadSettled ? nil : 10_000))
    }

    @Test func `far entries are found by their tags`() {
        var entries = FarEntries<Int>()
        let appended = ([3, 7, 20, 20, 5] as [UInt64]).map { entries.append($0, Int($0)) }
        #expect(appended == [true, true, true, false, false])
        #expect([0, 3, 4, 7, 20, 21].map { entries[$0] } == [nil, 3, nil, 7, 20, nil])
        entries[7] = 1
        entries[8] = 1
        #expect(entries.tags(upTo: 19) == [3, 7])
        let replaced = entries.replace(1, by: 3)
        #expect(replaced == 1)
        entries.dropFirst { $0 == 3 }
        #expect(entries.firstTag == 20)
        #expect(entries.lastTag == 20)
    }

    @Test func `what is given back is one multiple as far as nothing else waits before it`() {
        var ledger = ledger(1...60)
        _ = ledger.acknowledge(1, multiple: false)
        _ = take(&ledger)
        var (upTo, others) = ledger.giveBack(2...60)
        #expect(upTo == 60 && others.isEmpty)
        #expect(ledger.unsettledCount == 0)
        // One that is being handled keeps those behind it apart.
        ledger = self.ledger(1...6)
        (upTo, others) = ledger.giveBack([6, 5, 2, 1, 4])
        #expect(upTo == 2 && Array(others) == [4, 5, 6])
        #expect(ledger.acknowledge(3, multiple: false) == .accepted)
        // One alone is no multiple, and what is settled is left out.
        ledger = self.ledger([1])
        (upTo, others) = ledger.giveBack([1, 1, 2, 0])
        #expect(upTo == nil && Array(others) == [1])
    }

    @Test func `within a transaction each is given back by itself, and waits again after a rollback`() {
        var ledger = ledger(1...3)
        ledger.isTransactional = true
        let (upTo, others) = ledger.giveBack(1...3)
        #expect(upTo == nil && Array(others) == [1, 2, 3])
        ledger.endTransaction(commits: false)
        #expect(ledger.unsettledCount == 3)
    }

    /// Plays at random, and compares with a set of what waits and what the broker was told.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `at random, what is written is exactly what was settled`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var ledger = SettlementLedger()
        var waits: Set<UInt64> = []
        var acknowledged: Set<UInt64> = []
        /// What the broker still has, by what was written to it.
        var broker: Set<UInt64> = []
        var told: Set<UInt64> = []
        var tag: UInt64 = 0
        func write(_ ledger: inout SettlementLedger) {
            ledger.takeAcknowledgements { tag, multiple in
                let meant: Set<UInt64> = multiple ? broker.filter { $0 <= tag } : [tag]
                #expect(meant.isSubset(of: acknowledged), "\(tag) says more than was acknowledged")
                #expect(meant.isDisjoint(with: told))
                told.formUnion(meant)
                broker.subtract(meant)
            }
        }
        for _ in 0..<400 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1, 2:
                tag += Int.random(in: 0..<10, using: &random) == 0 ? UInt64.random(in: 2..<5000, using: &random) : 1
                ledger.delivered(tag)
                waits.insert(tag)
                broker.insert(tag)
            case 3, 4:
                let multiple = Int.random(in: 0..<5, using: &random) == 0
                let chosen = waits.sorted().randomElement(using: &random) ?? UInt64.random(in: 0...10, using: &random)
                let isWaiting = waits.contains(chosen)
                #expect((ledger.acknowledge(chosen, multiple: multiple) == .accepted) == isWaiting)
                guard isWaiting else { continue }
                let meant: Set<UInt64> = multiple ? waits.filter { $0 <= chosen } : [chosen]
                acknowledged.formUnion(meant)
                waits.subtract(meant)
            case 5:
                write(&ledger)
            case 6:
                let chosen = waits.filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
                write(&ledger)
                let (upTo, others) = ledger.giveBack(chosen.sorted().shuffled(using: &random))
                let meant = Set(others).union(upTo.map { upTo in broker.filter { $0 <= upTo } } ?? [])
                #expect(meant == chosen)
                waits.subtract(meant)
                broker.subtract(meant)
            default:
                guard let chosen = waits.sorted().randomElement(using: &random) else { continue }
                let multiple = Int.random(in: 0..<5, using: &random) == 0
                // As the channel does it: what is acknowledged is written first.
                write(&ledger)
                #expect(ledger.reject(chosen, multiple: multiple) == .accepted)
                let meant: Set<UInt64> = multiple ? waits.filter { $0 <= chosen } : [chosen]
                #expect(multiple ? broker.filter { $0 <= chosen } == meant : true)
                waits.subtract(meant)
                broker.subtract(meant)
            }
            #expect(ledger.unsettledCount == waits.count)
        }
        write(&ledger)
        #expect(told == acknowledged)
        #expect(broker == waits)
    }
}

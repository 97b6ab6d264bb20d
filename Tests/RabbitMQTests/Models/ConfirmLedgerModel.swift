import TestSupport

@testable import RabbitMQ

/// The ledger of unconfirmed messages as a session uses it, and what a broker may say.
struct ConfirmLedgerModel: CheckedModel {
    enum Step: Sendable {
        case reserve
        case publishAtOnce(kind: Int)
        case publishWithPlace(kind: Int)
        case giveUp(Int)
        case release
        case settle(Int, multiple: Bool, nacks: Bool)
        case comeBack(Int)
        case timer
        case nextSession
    }

    private struct Sent {
        let confirm: PendingConfirm
        let kind: Int
        var isReturned = false
        var isSettled = false
        var isConfirmed = false

        /// Whether it has the outcome that it should, the first one to this day.
        var hasItsOutcome: Bool {
            switch confirm.outcome {
            case .success?: isConfirmed
            case .failure?: !isConfirmed
            case nil: false
            }
        }

        var isMandatory: Bool { kind % 3 > 0 }
        /// What is not mandatory is kept too if it is to be published again.
        var isKept: Bool { kind % 3 > 0 || kind >= 6 }
    }

    private let session: ChannelSession
    private let limit: Int
    private var ledger: ConfirmLedger
    private var sent: [Sent] = []
    private var waiting: [OneShot<Void>] = []
    private var places = 0
    private var timers = 0
    private var hasAdopted = false

    init(_ random: inout SplitMix) {
        session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        limit = random.pick([1, 2, 3, 7, 100])
        ledger = ConfirmLedger(limit: limit)
    }

    static func step(_ random: inout SplitMix) -> Step {
        let kind = random.number(0...8)
        switch random.number(0...40) {
        case 0...7: return .reserve
        case 8...15: return .publishAtOnce(kind: kind)
        case 16...22: return .publishWithPlace(kind: kind)
        case 23...24: return .giveUp(random.number(0...1000))
        case 25: return .release
        case 26...34: return .settle(random.number(0...1000), multiple: random.chance(0.4), nacks: random.chance(0.2))
        case 35...37: return .comeBack(random.number(0...1000))
        case 38...39: return .timer
        default: return .nextSession
        }
    }

    mutating func apply(_ step: Step) -> String? {
        switch step {
        case .reserve:
            if let waiter = ledger.reserve() { waiting.append(waiter) } else { places += 1 }
        case .publishAtOnce(let kind): if ledger.hasRoom { publish(kind, hasPlace: false) }
        case .publishWithPlace(let kind):
            guard places > 0 else { break }
            places -= 1
            publish(kind, hasPlace: true)
        case .giveUp(let index):
            guard !waiting.isEmpty else { break }
            let waiter = waiting.remove(at: index % waiting.count)
            guard waiter.fail(CancellationError()) else { return "a waiter had its place, and nobody knew" }
            ledger.abandon()
        case .release:
            guard places > 0 else { break }
            places -= 1
            ledger.release()
            if let wrong = giveOut(ledger.admit()) { return wrong }
            if ledger.beginsTimer() { timers += 1 }
        case .settle(let raw, let multiple, let nacks):
            if let wrong = settle(UInt64(raw % (sent.count + 2)), multiple, nacks) { return wrong }
        case .comeBack(let index): if let wrong = comeBack(index) { return wrong }
        case .timer:
            guard timers > 0 else { break }
            timers -= 1
            if let wrong = giveOut(ledger.admitLate()) { return wrong }
        case .nextSession: if let wrong = nextSession() { return wrong }
        }
        return invariants()
    }

    private static func message(_ kind: Int) -> (message: Message, key: String) {
        (Message(body: [UInt8(kind / 3)], timestamp: nil), "k\(kind % 2)")
    }

    private mutating func publish(_ kind: Int, hasPlace: Bool) {
        let (message, key) = Self.message(kind)
        let isMandatory = kind % 3 > 0
        let kept: ConfirmLedger.Kept? =
            isMandatory || kind >= 6
            ? .init(exchange: "e", routingKey: key, message: message, isMandatory: isMandatory) : nil
        let confirm = ledger.publish(message, to: "e", on: session, hasPlace: hasPlace, kept: kept)
        sent.append(Sent(confirm: confirm, kind: kind))
    }

    /// Those who waited longest are let in.
    private mutating func giveOut(_ admitted: [OneShot<Void>]) -> String? {
        var admitted = admitted
        while !admitted.isEmpty {
            var given = 0
            for place in admitted {
                guard place.succeed(()) else {
                    given += 1
                    continue
                }
                guard let first = waiting.first, first === place else { return "let in out of turn" }
                waiting.removeFirst()
                places += 1
            }
            for _ in 0..<given { ledger.release() }
            admitted = given > 0 ? ledger.admit() : []
            if given > 0, ledger.beginsTimer() { timers += 1 }
        }
        return nil
    }

    private mutating func settle(_ number: UInt64, _ multiple: Bool, _ nacks: Bool) -> String? {
        let error = nacks ? AMQPError(.nacked, "no") : nil
        let outcomes = ledger.settle(number, multiple: multiple, error: error)
        let last = Int(number)
        let meant: [Int]
        if multiple {
            meant = Array(sent.indices.prefix(number == 0 ? sent.count : last))
        } else {
            meant = sent.indices.contains(last - 1) ? [last - 1] : []
        }
        let open = meant.filter { !sent[$0].isSettled }
        let failed = open.filter { nacks || sent[$0].isReturned }
        let confirmed = open.filter { !nacks && !sent[$0].isReturned }
        guard outcomes.confirmed.map(ObjectIdentifier.init) == confirmed.map({ ObjectIdentifier(sent[$0].confirm) })
        else { return "confirmed others than the broker said" }
        guard
            outcomes.failed.map({ ObjectIdentifier($0.confirm) }) == failed.map({ ObjectIdentifier(sent[$0].confirm) })
        else { return "failed others than the broker said" }
        for (index, failure) in zip(failed, outcomes.failed) {
            let code: AMQPError.Code = sent[index].isReturned ? .undeliverable : .nacked
            guard failure.error.code == code else { return "\(failure.error.code) instead of \(code)" }
        }
        outcomes.makeKnown()
        for index in open {
            sent[index].isSettled = true
            sent[index].isConfirmed = !nacks && !sent[index].isReturned
            guard sent[index].hasItsOutcome else { return "an outcome that nobody hears of, or another" }
        }
        if let wrong = giveOut(ledger.admit()) { return wrong }
        if ledger.beginsTimer() { timers += 1 }
        return nil
    }

    private mutating func comeBack(_ index: Int) -> String? {
        let open = sent.indices.filter { !sent[$0].isSettled && !sent[$0].isReturned && sent[$0].isMandatory }
        guard !open.isEmpty else { return nil }
        let kind = sent[open[index % open.count]].kind
        let (message, key) = Self.message(kind)
        let returned = ReturnedMessage(
            replyCode: .noRoute,
            replyText: "",
            exchangeName: "e",
            routingKey: key,
            message: message
        )
        guard ledger.markReturned(returned) else { return "one that came back was not found" }
        let same = open.first { Self.message(sent[$0].kind).key == key && sent[$0].kind / 3 == kind / 3 }
        if let same { sent[same].isReturned = true }
        return nil
    }

    private mutating func nextSession() -> String? {
        let kept = ledger.takeKept()
        let expected = sent.filter { !$0.isSettled && !$0.isReturned && $0.isKept }
        guard kept.map({ ObjectIdentifier($0.confirm) }) == expected.map({ ObjectIdentifier($0.confirm) }) else {
            return "others are published again than are open"
        }
        if let wrong = endLedger(except: expected.map { ObjectIdentifier($0.confirm) }) { return wrong }
        ledger = ConfirmLedger(limit: limit)
        for message in kept { ledger.adopt(message) }
        sent = expected
        hasAdopted = sent.count > limit
        return nil
    }

    private mutating func endLedger(except kept: [ObjectIdentifier] = []) -> String? {
        let kept = Set(kept)
        let (outcomes, waiters) = ledger.end(AMQPError(.outcomeUnknown, "lost"))
        let open = sent.filter { !$0.isSettled && !kept.contains(ObjectIdentifier($0.confirm)) }
        guard outcomes.confirmed.isEmpty, outcomes.failed.count == open.count else {
            return "\(outcomes.failed.count) outcomes for \(open.count) messages at the end"
        }
        outcomes.makeKnown()
        guard open.allSatisfy(\.hasItsOutcome) else { return "no outcome at the end" }
        guard sent.allSatisfy({ !$0.isSettled || $0.hasItsOutcome }) else { return "an outcome that has changed" }
        for waiter in waiters { waiter.fail(AMQPError(.channelClosed, "ended")) }
        guard waiting.allSatisfy(\.isSettled) else { return "somebody waits for ever" }
        (waiting, places, timers) = ([], 0, 0)
        return nil
    }

    private func invariants() -> String? {
        let open = sent.filter { !$0.isSettled }.count
        guard ledger.unconfirmed == open else { return "\(ledger.unconfirmed) unconfirmed, and \(open) are open" }
        guard hasAdopted || open + places <= limit else { return "\(open) and \(places) places of \(limit)" }
        if !waiting.isEmpty, open + places < limit, timers == 0 {
            return "somebody waits, and \(limit - open - places) places are free"
        }
        return nil
    }

    mutating func finish() -> String? { endLedger() }
}

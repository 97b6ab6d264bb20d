import TestSupport

@testable import RabbitMQ

/// Publishers that wait for room in what is to be written, as the outbox lets them through.
struct AdmissionModel: CheckedModel {
    enum Step: Sendable {
        case publish(size: Int)
        case append(Int)
        case dropAppend(Int)
        case write(Int)
        case giveUp(Int)
        case block(Bool)
    }

    private let low: Int
    private let high: Int
    /// What a message takes beside its body.
    private static let head = 60
    private var held = HeldBackPublishers()
    private var waiting: [(signal: OneShot<Void>, size: Int)] = []
    /// Who was let through and has not appended yet.
    private var admitted: [Int] = []
    private var pending = 0
    private var isBlocked = false
    private var largest = 0

    init(_ random: inout SplitMix) {
        high = random.pick([1, 10, 1000])
        low = high / 2
    }

    static func step(_ random: inout SplitMix) -> Step {
        switch random.number(0...20) {
        case 0...8: return .publish(size: random.pick([0, 1, 7, 300, 5000]))
        case 9...12: return .append(random.number(0...1000))
        case 13: return .dropAppend(random.number(0...1000))
        case 14...17: return .write(random.pick([1, 100, 100_000]))
        case 18...19: return .giveUp(random.number(0...1000))
        default: return .block(random.chance(0.4))
        }
    }

    private var committed: Int { pending + held.promised }

    mutating func apply(_ step: Step) -> String? {
        switch step {
        case .publish(let size):
            largest = max(largest, size)
            if committed >= high || isBlocked || !held.isEmpty {
                waiting.append((held.hold(size), size))
            } else {
                pending += size + Self.head
            }
        case .append(let index):
            guard !admitted.isEmpty else { break }
            let size = admitted.remove(at: index % admitted.count)
            held.redeem(size)
            pending += size + Self.head
        case .dropAppend(let index):
            guard !admitted.isEmpty else { break }
            held.redeem(admitted.remove(at: index % admitted.count))
            if let wrong = admit() { return wrong }
        case .write(let count):
            pending -= min(pending, count)
            if !held.isEmpty, committed <= low, let wrong = admit() { return wrong }
        case .giveUp(let index):
            guard !waiting.isEmpty else { break }
            let one = waiting.remove(at: index % waiting.count)
            guard one.signal.fail(CancellationError()) else { return "one who waits was let through" }
            held.withdraw()
        case .block(let blocks):
            isBlocked = blocks
            if let wrong = admit() { return wrong }
        }
        return invariants()
    }

    private mutating func admit() -> String? {
        var given = 0
        repeat {
            held.redeem(given)
            given = 0
            guard !isBlocked, committed <= low else { return nil }
            for publisher in held.admit(pending: pending, upTo: high) {
                guard publisher.signal.succeed(()) else {
                    given += publisher.wish
                    continue
                }
                guard let first = waiting.first, first.signal === publisher.signal, first.size == publisher.wish else {
                    return "let through out of turn"
                }
                waiting.removeFirst()
                admitted.append(publisher.wish)
            }
        } while given > 0
        return nil
    }

    private func invariants() -> String? {
        guard held.promised == admitted.reduce(0, +) else { return "\(held.promised) promised to \(admitted)" }
        guard waiting.isEmpty == (held.isEmpty || waiting.isEmpty) else { return "one who waits is not in the line" }
        guard held.promised < high + largest else { return "\(held.promised) promised, and \(high) is the most" }
        // Nothing on its way would let them through.
        if !waiting.isEmpty, !isBlocked, pending == 0, admitted.isEmpty { return "somebody waits for ever" }
        return nil
    }

    mutating func finish() -> String? {
        isBlocked = false
        if let wrong = admit() { return wrong }
        for _ in 0..<10_000 where !waiting.isEmpty || !admitted.isEmpty {
            if let wrong = apply(admitted.isEmpty ? .write(100_000) : .append(0)) { return wrong }
        }
        return waiting.isEmpty ? nil : "\(waiting.count) wait for ever"
    }
}

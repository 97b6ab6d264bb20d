import Synchronization
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

    private let outbox: Outbox
    /// What a message takes beside its body.
    private static let head = 60
    /// Who waits, in the order in which they came.
    private var waiting: [(signal: OneShot<Void>, size: Int)] = []
    /// Who was let through and has not appended yet.
    private var admitted: [Int] = []
    private var isBlocked = false
    private var largest = 0

    init(_ random: inout SplitMix) {
        let high = random.pick([1, 10, 1000])
        outbox = Outbox(limits: Outbox.Limits(highWater: high, lowWater: high / 2)) { _ in }
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

    mutating func apply(_ step: Step) -> String? {
        do {
            if let wrong = try take(step) { return wrong }
        } catch {
            return "\(error)"
        }
        return noteAdmitted() ?? invariants()
    }

    private mutating func take(_ step: Step) throws -> String? {
        switch step {
        case .publish(let size):
            largest = max(largest, size)
            // Who has given up may stand in the line yet.
            let (committed, isLine) = outbox.state.withLock { ($0.committed, !$0.heldBack.isEmpty) }
            let mustWait = committed >= outbox.limits.highWater || isBlocked || isLine
            let signal = try publish(size, isAdmitted: false)
            guard (signal != nil) == mustWait else { return "one waits for nothing, or does not wait" }
            if let signal { waiting.append((signal, size)) }
        case .append(let index):
            guard !admitted.isEmpty else { break }
            let size = admitted.remove(at: index % admitted.count)
            let signal = try publish(size, isAdmitted: true)
            guard signal == nil else { return "one was let through, and waits again" }
        case .dropAppend(let index):
            guard !admitted.isEmpty else { break }
            let size = admitted.remove(at: index % admitted.count)
            _ = try outbox.publish(size: size, isAdmitted: true) { _ in }
        case .write(let count): write(count)
        case .giveUp(let index):
            guard !waiting.isEmpty else { break }
            let one = waiting.remove(at: index % waiting.count)
            guard one.signal.fail(CancellationError()) else { return "one who waits was let through" }
            outbox.withdraw()
        case .block(let blocks):
            isBlocked = blocks
            outbox.setBlocked(blocks ? "low on memory" : nil)
        }
        return nil
    }

    private func publish(_ size: Int, isAdmitted: Bool) throws -> OneShot<Void>? {
        let count = size + Self.head
        return try outbox.publish(size: size, isAdmitted: isAdmitted) { state in
            state.buffer.room(for: count).initializeMemory(as: UInt8.self, repeating: 0, count: count)
            state.buffer.advance(count)
        }
    }

    /// The socket takes so many bytes, as the link's queue says.
    private func write(_ count: Int) {
        let taken = outbox.state.withLock { state -> Int in
            let filled = state.buffer.byteCount
            state.inFlight += filled
            state.taken += filled
            state.buffer.clear()
            return min(count, state.inFlight)
        }
        outbox.wrote(taken)
    }

    private mutating func noteAdmitted() -> String? {
        while let first = waiting.first, first.signal.isSettled {
            admitted.append(first.size)
            waiting.removeFirst()
        }
        return waiting.contains { $0.signal.isSettled } ? "let through out of turn" : nil
    }

    private func invariants() -> String? {
        let (promised, pending, isInLine) = outbox.state.withLock {
            ($0.heldBack.promised, $0.pending, !$0.heldBack.isEmpty)
        }
        guard promised == admitted.reduce(0, +) else { return "\(promised) promised to \(admitted)" }
        guard waiting.isEmpty || isInLine else { return "one who waits is not in the line" }
        let high = outbox.limits.highWater
        guard promised < high + largest else { return "\(promised) promised, and \(high) is the most" }
        // Nothing on its way would let them through.
        if !waiting.isEmpty, !isBlocked, pending == 0, admitted.isEmpty { return "somebody waits for ever" }
        return nil
    }

    mutating func finish() -> String? {
        if let wrong = apply(.block(false)) { return wrong }
        for _ in 0..<10_000 where !waiting.isEmpty || !admitted.isEmpty {
            if let wrong = apply(admitted.isEmpty ? .write(100_000) : .append(0)) { return wrong }
        }
        return waiting.isEmpty ? nil : "\(waiting.count) wait for ever"
    }
}

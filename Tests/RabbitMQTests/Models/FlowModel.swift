import TestSupport

@testable import RabbitMQ

/// Publishers that wait while the broker has stopped a channel's flow, or a commit waits for its answer or its turn.
struct FlowModel: CheckedModel {
    enum Step: Sendable {
        case publish
        case setFlow(Bool)
        case takeTurn
        case commit
        case answer
        case passTurn
        case giveUpPublishing(Int)
        case giveUpTurn(Int)
        case close
    }

    private enum Turn { case free, taken, committing }

    private var state = ChannelState()
    private var publishers: [OneShot<Void>] = []
    private var callers: [OneShot<Void>] = []
    private var turn = Turn.free
    private var isStopped = false
    private var isClosed = false

    init(_ random: inout SplitMix) {}

    static func step(_ random: inout SplitMix) -> Step {
        switch random.number(0...30) {
        case 0...8: return .publish
        case 9...13: return .setFlow(random.chance(0.6))
        case 14...18: return .takeTurn
        case 19...21: return .commit
        case 22...24: return .answer
        case 25...26: return .passTurn
        case 27...28: return .giveUpPublishing(random.number(0...1000))
        case 29: return .giveUpTurn(random.number(0...1000))
        default: return random.chance(0.05) ? .close : .publish
        }
    }

    mutating func apply(_ step: Step) -> String? {
        switch step {
        case .publish:
            do {
                let waiter = try state.joinFlow()
                guard (waiter != nil) == (isStopped || turn != .free), !isClosed else {
                    return "waits for nothing, or not"
                }
                if let waiter { publishers.append(waiter) }
            } catch {
                guard isClosed else { return "refused: \(error)" }
            }
        case .setFlow(let isOn):
            isStopped = !isOn
            state.publishers.isStopped = isStopped
            letPublishersGo()
        case .takeTurn:
            guard let waiter = try? state.takeTurn() else {
                if !isClosed, turn != .free { return "no turn, and nothing to wait for" }
                if !isClosed { turn = .taken }
                break
            }
            guard turn != .free else { return "waits for a turn that is free" }
            callers.append(waiter)
        case .commit:
            guard turn == .taken, !isClosed else { break }
            guard (try? state.register(PendingCall(method: .txCommit, reply: OneShot()))) != nil else {
                return "can't commit"
            }
            turn = .committing
        case .answer:
            guard turn == .committing, !isClosed else { break }
            _ = state.takeCall(answeredBy: .txCommitOk)
            _ = state.endCommit()
            turn = .taken
            if let wrong = passTurn() { return wrong }
        case .passTurn: if turn == .taken, let wrong = passTurn() { return wrong }
        case .giveUpPublishing(let index):
            guard !publishers.isEmpty else { break }
            guard publishers.remove(at: index % publishers.count).fail(CancellationError()) else {
                return "went on unseen"
            }
            state.abandonFlow()
        case .giveUpTurn(let index):
            guard !callers.isEmpty else { break }
            guard callers.remove(at: index % callers.count).fail(CancellationError()) else {
                return "had the turn unseen"
            }
            state.abandonTurn()
        case .close:
            _ = state.close(AMQPError(.channelClosed, "ended"))
            for waiter in state.endWaits() { waiter.fail(AMQPError(.channelClosed, "ended")) }
            guard publishers.allSatisfy(\.isSettled), callers.allSatisfy(\.isSettled) else {
                return "somebody waits for ever"
            }
            (publishers, callers, isClosed) = ([], [], true)
        }
        return invariants()
    }

    private mutating func letPublishersGo() {
        for publisher in state.takePublishers() { publisher.succeed(()) }
        publishers.removeAll(where: \.isSettled)
    }

    private mutating func passTurn() -> String? {
        var next: OneShot<Void>?
        repeat {
            next = state.passTurn()
            letPublishersGo()
        } while next?.succeed(()) == false
        guard let next else {
            turn = .free
            return callers.isEmpty ? nil : "the turn is free, and somebody waits for it"
        }
        guard callers.first === next else { return "the turn goes to another" }
        callers.removeFirst()
        turn = .taken
        return nil
    }

    private func invariants() -> String? {
        if !publishers.isEmpty, !isStopped, turn == .free { return "publishers wait for nothing" }
        if !callers.isEmpty, turn == .free { return "callers wait for nothing" }
        return nil
    }

    mutating func finish() -> String? { isClosed ? nil : apply(.close) }
}

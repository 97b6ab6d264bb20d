#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif
internal import Logging
internal import Synchronization

/// Where deliveries are handled, and settled as a ``RetryPolicy`` says.
final class RetryDesk: Sendable {
    typealias Handler = @Sendable (IncomingMessage) async throws -> RetryDecision

    private let plan: RetryPlan
    private let sender: RetrySender
    private let logger: Logger
    private let handler: Handler

    init(plan: RetryPlan, sender: RetrySender, logger: Logger, handler: @escaping Handler) {
        self.plan = plan
        self.sender = sender
        self.logger = logger
        self.handler = handler
    }

    func close() async { await sender.close() }

    /// How long an error's text can be, in characters: a header must fit into one frame with all others.
    private static let longestText = 1_000

    /// Handles a delivery. When this returns it is settled, or with the broker again.
    func handle(_ delivery: IncomingMessage) async {
        if delivery.isStale { return }
        let message = RetriedMessage(
            delivered: delivery.message,
            exchange: delivery.exchangeName,
            routingKey: delivery.routingKey,
            queue: plan.ring.queue
        )
        let returns = delivery.history.count ?? 0
        if let step = plan.stepUnseen(message, returns: returns, at: Self.now) {
            return await carryOut(step, delivery, message)
        }
        let seen = delivery.seen(as: message)
        let (decision, error) = await decide(on: seen, attempt: plan.attempt(message, returns: returns))
        // The broker has the message again: what becomes of it is decided, and told, with its next delivery.
        if delivery.isStale { return }
        let text = (decision.reason ?? error.map(plan.policy.errorText))?.printable(Self.longestText)
        let step = plan.step(
            decision,
            message,
            error: text,
            returns: returns,
            at: Self.now,
            random: .random(in: 0...1)
        )
        if decision != .done {
            report(decision, step, delivery, text, attempt: plan.attempt(message, returns: returns))
        }
        await carryOut(step, delivery, message)
    }

    private static var now: UInt64 { AMQPTimestamp.seconds(of: .now) }

    private func decide(on message: IncomingMessage, attempt: Int) async -> (RetryDecision, (any Error)?) {
        do {
            return (try await message.observed(handler), nil)
        } catch let decision as RetryDecision {
            return (decision, nil)
        } catch {
            // Whoever runs it wants to stop: that says nothing of the message.
            if Task.isCancelled { return (.giveBack, error) }
            let failed = FailedAttempt(message: message, number: attempt, limit: plan.policy.attempts)
            return (await plan.policy.decide(error, failed), error)
        }
    }

    private func report(
        _ decision: RetryDecision,
        _ step: RetryStep,
        _ delivery: IncomingMessage,
        _ text: String?,
        attempt: Int
    ) {
        let isParked = if case .send(plan.ring.parkingQueue, _) = step { true } else { false }
        logger.log(
            level: isParked ? .error : step == .giveBack ? .debug : .warning,
            isParked ? "a message is parked" : "a message was not processed",
            metadata: [
                LogKey.queue: "\(plan.ring.queue.printable())", LogKey.deliveryTag: "\(delivery.deliveryTag)",
                LogKey.attempt: "\(attempt)", LogKey.disposition: isParked ? "park" : "\(decision)",
                LogKey.error: "\(text ?? "")",
            ]
        )
    }

    // MARK: Settling

    private func carryOut(_ step: RetryStep, _ delivery: IncomingMessage, _ message: RetriedMessage) async {
        // What can't be settled any more is with the broker again, or was settled by the handler.
        guard delivery.isUnsettled else { return }
        switch step {
        case .acknowledge: try? delivery.ack()
        case .reject: try? delivery.reject(requeue: false)
        case .giveBack: delivery.giveBack()
        case .return: try? delivery.reject(requeue: true)
        case .send(let queue, let sealed):
            guard let error = await move(delivery, to: queue, as: sealed) else { return }
            await parkBare(delivery, message, error)
        }
    }

    /// Publishes a message in place of a delivery, and then acknowledges that. Goes on also in a task that is cancelled:
    /// to stop in the middle would leave the message in two places.
    ///
    /// - Returns: Why the message can't be sent as it is; nil if its delivery is done with.
    private func move(_ delivery: IncomingMessage, to queue: String, as message: Message) async -> AMQPError? {
        let isStopping = Flag(Task.isCancelled)
        let outcome = await withTaskCancellationHandler {
            await Task { [sender] in
                await sender.send(message, to: queue, for: delivery, isStopping: { isStopping.isSet })
            }.value
        } onCancel: {
            isStopping.set()
        }
        switch outcome {
        case .confirmed:
            try? delivery.ack()
            // The connection over which it came was lost meanwhile.
            if delivery.comesAgain { warnOfTwo(queue) }
        case .abandoned(let mayBeThereTwice):
            if mayBeThereTwice { warnOfTwo(queue) }
            delivery.giveBack()
        case .refused(let error): return error
        }
        return nil
    }

    /// Whoever finds a message done or parked twice has to find out why.
    private func warnOfTwo(_ queue: String) {
        logger.warning(
            "a message goes back to its queue, though the broker may have it in the next one, and may be there twice",
            metadata: [LogKey.queue: "\(plan.ring.queue.printable())", LogKey.entity: "\(queue.printable())"]
        )
    }

    /// Parks a message that can't be sent with what is noted on it, because it does not fit into a frame then for example.
    /// Given back, it would come round for ever, and count nowhere.
    private func parkBare(_ delivery: IncomingMessage, _ message: RetriedMessage, _ error: AMQPError) async {
        var last = error
        for bare in message.bare {
            logger.error(
                "a message can't be sent with all that is noted on it, and is parked without",
                metadata: [LogKey.queue: "\(plan.ring.queue.printable())", LogKey.error: "\(last)"]
            )
            guard let error = await move(delivery, to: plan.ring.parkingQueue, as: bare) else { return }
            last = error
        }
        logger.error(
            "a message can't be moved, and goes back to its queue",
            metadata: [LogKey.queue: "\(plan.ring.queue.printable())", LogKey.error: "\(last)"]
        )
        // It would come again at once.
        try? await DeadlineTimer.shared.sleep(for: plan.policy.delay)
        delivery.giveBack()
    }
}

/// Whether something was asked for, once.
private final class Flag: Sendable {
    private let value: Atomic<Bool>

    init(_ isSet: Bool) { value = Atomic(isSet) }

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}

extension IncomingMessage {
    /// The same delivery, with the message as it was published.
    fileprivate func seen(as retried: RetriedMessage) -> IncomingMessage {
        IncomingMessage(
            message: retried.message,
            deliveryTag: deliveryTag,
            redelivered: redelivered,
            exchangeName: retried.exchange,
            routingKey: retried.routingKey,
            source: source
        )
    }

    /// Whether it waits to be settled, and can be.
    var isUnsettled: Bool { !source.session.unsettled(among: [deliveryTag]).isEmpty }
}

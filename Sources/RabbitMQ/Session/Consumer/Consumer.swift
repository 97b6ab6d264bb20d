internal import Synchronization

/// A subscription to a queue: messages come as the broker has them.
///
/// Made by ``Queue/consume(_:maxConcurrency:onFailure:onCancel:onError:callback:)``, which calls back, or as the source of
/// ``Deliveries``, over which one iterates.
public final class Consumer: Sendable {
    /// What is called for each message. An error that it throws is logged and settles the message, if that is not settled,
    /// as its consumer's ``FailurePolicy`` says; the next message comes.
    public typealias Callback = @Sendable (IncomingMessage) async throws -> Void

    private struct State {
        var isCancelling = false
        /// Why it has ended, if it has: nil within if it was cancelled by us. The first reason counts.
        var reason: AMQPError??

        var isCancelled: Bool {
            guard let reason else { return false }
            return reason.map { $0.code == .consumerCancelled } ?? true
        }
    }

    /// The tag that names the consumer on its channel.
    public let tag: String

    /// What is called for each message; nil if the messages are iterated over.
    public let callback: Callback?

    /// Whether its messages need no acknowledgement.
    let noAck: Bool
    let buffer: DeliveryBuffer
    private let current: Mutex<DeliverySource>
    private let state = Mutex(State())
    private let end = Broadcast<AMQPError?>()
    /// Set once no callback runs any more, nor will.
    let callbacksReturned = Broadcast<Void>()
    /// Runs the callbacks.
    let calling = Mutex<Task<Void, Never>?>(nil)

    init(
        tag: String,
        source: DeliverySource,
        buffer: DeliveryBuffer,
        callback: Callback?,
        plan: CallbackPlan = CallbackPlan()
    ) {
        self.tag = tag
        hearsCancel = callback == nil || plan.onCancel != nil
        hearsError = callback == nil || plan.onError != nil
        noAck = source.noAck
        current = Mutex(source)
        self.buffer = buffer
        self.callback = callback
    }

    /// Where messages come from at present: another one once its channel was opened anew.
    var source: DeliverySource { current.withLock { $0 } }

    /// Whether somebody is told when the broker cancels it: who iterates, or a handler.
    let hearsCancel: Bool
    /// Whether somebody is told when its channel ends.
    let hearsError: Bool

    /// Whether it was cancelled, by ``cancel()`` or by the broker.
    public var cancelled: Bool { state.withLock { $0.isCancelled } }

    /// Whether it was told the broker, or is about to be, that it ends.
    var isCancelling: Bool { state.withLock { $0.isCancelling } }

    /// Waits until no more messages come, and with a callback until the last call has returned; says why: nil if it was
    /// cancelled with ``cancel()``, or by leaving the loop; else the broker has cancelled it
    /// (``AMQPError/Code/consumerCancelled``), or channel or connection have gone.
    ///
    /// - Throws: `CancellationError`, which leaves the consumer as it is.
    public var ended: AMQPError? {
        get async throws {
            let reason = try await end.wait()
            if callback != nil { try await callbacksReturned.wait() }
            return reason
        }
    }

    /// Waits for the end, as long as this; callbacks that run are not waited for.
    ///
    /// - Returns: Whether it has ended.
    /// - Throws: `CancellationError`.
    func ends(within duration: Duration) async throws -> Bool { try await end.wait(upTo: duration) != nil }

    /// Cancels the consumer and waits until the broker has done so.
    ///
    /// No callback begins after that. Messages that had come but were not seen yet go back to their queue; those of a
    /// consumer without acknowledgement (`noAck`) can still be iterated over, but are lost to a callback. Cancelling
    /// again waits for the first; after the channel has gone it does nothing.
    ///
    /// - Throws: ``AMQPError/Code/timedOut`` if the broker doesn't answer; `CancellationError`. The consumer gets no more
    ///   messages all the same.
    public func cancel() async throws {
        guard let told = beginCancelling() else {
            // Whoever else cancels it is not done yet, perhaps.
            _ = try await end.wait()
            return
        }
        defer { end(nil) }
        do {
            let session = told.session
            let call = try session.begin(.basicCancel(consumerTag: tag, noWait: false))
            if cutsOnCancel { cutOff(nil) }
            _ = try await session.answer(to: call)
        } catch let error as AMQPError where error.code != .timedOut {
            // The channel has gone, and the consumer with it.
        }
    }

    /// Cancels without waiting for the broker, and gives back what nobody will take any more.
    func cancelInBackground() {
        beginCancelling()?.session.callInBackground(.basicCancel(consumerTag: tag, noWait: false))
        cutOff(nil)
        end(nil)
    }

    /// Ends the consumer before its channel does, has the broker send no more, and gives back what nobody has seen: also
    /// what stands behind a message that is being handled. If that one's successor is taken at this very moment, it is given
    /// back as well, and can't be settled any more: nothing can that is taken while the channel closes.
    func retire(_ reason: AMQPError) {
        beginCancelling()?.session.callInBackground(.basicCancel(consumerTag: tag, noWait: false))
        let left = buffer.end(reason, cuts: true)
        let source = source
        giveBack(buffer.unseenTags(of: source) + left.flatMap(\.deliveryTags), to: source)
        end(reason)
    }

    /// Drops what has come and needs settling: its session has ended, and the broker delivers it again. The consumer goes on
    /// with the next one.
    func interrupt() {
        let source = source
        source.session.unsettled.end(consumerTag: tag)
        buffer.interrupt(drops: !noAck)
    }

    /// Has messages come from another source from now on. Called as its consume is appended, so that whoever cancels it later
    /// does so behind that.
    ///
    /// - Returns: Whether it was cancelled before: whoever did that has not told this source's session.
    @discardableResult
    func resume(from source: DeliverySource) -> Bool {
        state.withLock { state in
            current.withLock { $0 = source }
            return state.isCancelling
        }
    }

    /// What the broker's basic.cancel may mean, which gives no reason.
    var cancelledByServer: AMQPError {
        var causes = "its queue was deleted, or the queue's node is down"
        let isTimed = source.queueType != .classic && source.queueType != .stream
        if isTimed, source.version?.isAtLeast(4, 3) == true {
            causes += ", or a delivery stayed unsettled for longer than the consumer timeout of the queue"
        }
        return AMQPError(.consumerCancelled, "the broker cancelled the consumer \(tag.printable()): \(causes)")
    }

    /// - Returns: The source whose session is to be told; nil if it is cancelled already.
    private func beginCancelling() -> DeliverySource? {
        let told = state.withLock { state -> DeliverySource? in
            guard !state.isCancelling, !state.isCancelled else { return nil }
            state.isCancelling = true
            // Under one lock with the other: either this one's session has its consume, or the next one's is told by `resume`.
            return current.withLock { $0 }
        }
        told?.lease.host.forget(self)
        return told
    }

    /// Whether messages that wait are not to be seen after cancelling. Those without acknowledgement exist only here.
    private var cutsOnCancel: Bool { !noAck || callback != nil }

    private func cutOff(_ error: AMQPError?) {
        giveBack(buffer.end(error, cuts: true))
    }

    /// Ends the consumer: cancelled by us if there is no error, else by the broker or with its channel.
    func end(_ error: AMQPError?) {
        // Whoever takes its messages hears of the end first, and then lets go of it, which ends it once more.
        let error = state.withLock { state in
            let reason = state.reason ?? error
            state.reason = .some(reason)
            return reason
        }
        let source = source
        source.lease.host.forget(self)
        source.session.unsettled.end(consumerTag: tag)
        // After a cancel by the broker the channel lives, and what was delivered can be settled. With a dead channel,
        // only messages that need no settling are worth seeing.
        let cuts = error == nil ? cutsOnCancel : !noAck && error?.code != .consumerCancelled
        giveBack(buffer.end(error, cuts: cuts))
        end.set(error)
    }
}

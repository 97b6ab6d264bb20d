internal import Logging
internal import Synchronization

/// The one outcome of one message on a confirming channel. Any number of tasks may wait for it.
///
/// A failure that nobody has looked at when the last reference goes is logged: no message is lost in silence.
final class PendingConfirm: Sendable {
    private enum Status: UInt8, AtomicRepresentable {
        /// No outcome, and nobody waits.
        case untouched
        case confirmed
        /// What there is to know stands in the details.
        case detailed
    }

    /// Mostly one task waits, for which no array is made.
    private struct Waiters: Sendable {
        private var first: OneShot<Void>?
        private var others: [OneShot<Void>] = []

        mutating func add(_ waiter: OneShot<Void>) {
            if first == nil { first = waiter } else { others.append(waiter) }
        }

        mutating func remove(_ waiter: OneShot<Void>) {
            if first === waiter { first = nil } else { others.removeAll { $0 === waiter } }
        }

        func tell(_ body: (OneShot<Void>) -> Void) {
            if let first { body(first) }
            for waiter in others { body(waiter) }
        }
    }

    private struct Details {
        var waiters = Waiters()
        /// Who waits only for that there is an outcome.
        var watchers: [OneShot<Void>] = []
        var isConfirmed = false
        var failure: AMQPError?
        var isSeen = false
    }

    /// Most messages are confirmed before anybody waits for them: that takes this alone.
    private let status = Atomic<Status>(.untouched)
    private let details = Mutex<Box?>(nil)
    let run: PublishRun
    /// The size of the body.
    let size: Int

    /// Keeps what few messages need out of the object that each has.
    private final class Box {
        var value = Details()
    }

    init(run: PublishRun, size: Int) {
        self.run = run
        self.size = size
    }

    private var session: ChannelSession { run.session }

    deinit {
        guard status.load(ordering: .acquiring) == .detailed else { return }
        let unseen = details.withLock { box in box.flatMap { $0.value.isSeen ? nil : $0.value.failure } }
        guard let unseen else { return }
        let link = session.link
        // Those that the end of the channel left without an outcome have one reason, and are told of once.
        let isOneOfMany = unseen.code == .outcomeUnknown || unseen.isChannelFatal
        let isTold = isOneOfMany && session.hasReportedUnseen.exchange(true, ordering: .relaxed)
        let report = { @Sendable [logger = link.logger] in
            logger.log(
                level: isTold ? .debug : .error,
                "a message that nobody waited for was not confirmed",
                metadata: [LogKey.error: "\(unseen)"]
            )
        }
        // A slow log must not hold up the poller's thread.
        if link.executor.isStandIn { link.onQueue { _ in report() } } else { report() }
    }

    /// Sets the outcome: the broker has the message. The first outcome counts.
    func confirm() {
        let old = status.compareExchange(expected: .untouched, desired: .confirmed, ordering: .acquiringAndReleasing)
        if old.original == .detailed { resolve(nil) }
    }

    /// Sets the outcome: why the message is not known to be with the broker. The first outcome counts.
    func fail(_ error: AMQPError) {
        let old = status.compareExchange(expected: .untouched, desired: .detailed, ordering: .acquiringAndReleasing)
        if old.original != .confirmed { resolve(error) }
    }

    private func resolve(_ error: AMQPError?) {
        let (waiters, watchers) = withDetails { details -> (Waiters, [OneShot<Void>]) in
            guard !details.isConfirmed, details.failure == nil else { return (Waiters(), []) }
            details.isConfirmed = error == nil
            details.failure = error
            defer { (details.waiters, details.watchers) = (Waiters(), []) }
            return (details.waiters, details.watchers)
        }
        for watcher in watchers { watcher.succeed(()) }
        guard let error else {
            waiters.tell { $0.succeed(()) }
            return
        }
        // Who has stopped waiting has not seen it.
        var isSeen = false
        waiters.tell { waiter in
            if waiter.fail(error) { isSeen = true }
        }
        if isSeen { withDetails { $0.isSeen = true } }
    }

    private func withDetails<R: Sendable>(_ body: (inout Details) -> R) -> R {
        details.withLock { box in
            let value = box ?? Box()
            box = value
            return body(&value.value)
        }
    }

    /// The outcome, once there is one.
    var outcome: Result<Void, AMQPError>? {
        switch status.load(ordering: .acquiring) {
        case .untouched: nil
        case .confirmed: .success(())
        case .detailed:
            withDetails { details in
                if details.isConfirmed { return .success(()) }
                guard let failure = details.failure else { return nil }
                details.isSeen = true
                return .failure(failure)
            }
        }
    }

    /// Waits for the outcome. A task that is cancelled stops waiting, which leaves the outcome to others.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait; the configuration's `callTimeout` by default.
    ///   - start: When the time began that this wait shares with others, in nanoseconds of ``MonotonicTime``; now by
    ///     default.
    func wait(timeout: Duration?, since start: UInt64? = nil) async throws {
        let old = status.compareExchange(expected: .untouched, desired: .detailed, ordering: .acquiringAndReleasing)
        guard old.original != .confirmed else { return }
        let waiter = OneShot<Void>()
        let isPending = withDetails { details in
            guard !details.isConfirmed, details.failure == nil else { return false }
            details.waiters.add(waiter)
            return true
        }
        guard isPending else {
            try outcome?.get()
            return
        }
        let timeout = timeout ?? session.link.configuration.timeoutOfCall
        do {
            try await session.link.waitForPeer(atMost: timeout.left(since: start)) {
                waiter.fail(AMQPError(.timedOut, "the broker did not confirm the message within \(timeout)"))
            } _: {
                try await waiter.value()
            }
        } catch {
            withDetails { $0.waiters.remove(waiter) }
            throw error
        }
    }

    /// Waits until there is an outcome, without looking at it: a failure is still for somebody else to see.
    ///
    /// - Returns: Whether there is one within that time.
    func settles(within duration: Duration) async throws -> Bool {
        let old = status.compareExchange(expected: .untouched, desired: .detailed, ordering: .acquiringAndReleasing)
        guard old.original != .confirmed else { return true }
        let watcher = OneShot<Void>()
        let isPending = withDetails { details in
            guard !details.isConfirmed, details.failure == nil else { return false }
            details.watchers.append(watcher)
            return true
        }
        guard isPending else { return true }
        defer { withDetails { details in details.watchers.removeAll { $0 === watcher } } }
        do {
            try await session.link.waitForPeer(atMost: duration) {
                watcher.fail(AMQPError(.timedOut, "there is no outcome yet"))
            } _: {
                try await watcher.value()
            }
        } catch is AMQPError {
            return false
        }
        return true
    }
}

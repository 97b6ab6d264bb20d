internal import DequeModule

/// The messages of a confirming channel that the broker has not confirmed yet, and who waits for room among them.
///
/// A value. Numbers as the broker counts: from 1, one for each basic.publish since confirm.select.
struct ConfirmLedger: Sendable {
    private struct Entry: Sendable {
        /// nil once it is settled.
        var confirm: PendingConfirm?
        /// nil for a message that neither comes back nor is published again.
        var kept: Kept?

        /// What it is recognized by if it comes back.
        var mandatory: Kept? { kept?.isMandatory == true ? kept : nil }
    }

    /// Outcomes to make known once the lock is released.
    struct Outcomes: Sendable {
        var confirmed: [PendingConfirm] = []
        var failed: [(confirm: PendingConfirm, error: AMQPError)] = []

        func makeKnown() {
            for confirm in confirmed { confirm.confirm() }
            for (confirm, error) in failed { confirm.fail(error) }
        }
    }

    /// The most messages that may be unconfirmed.
    let limit: Int

    /// The number of the first entry; those below are settled.
    private var base: UInt64 = 1
    private var entries: Deque<Entry> = []
    /// What the next message shares with those before it.
    private var run: PublishRun?
    /// Properties that the broker may name, of messages that are not kept whole.
    private var named: [UInt64: MessageExtras] = [:]
    /// Messages that came back, whose confirms follow.
    private var returned: [UInt64: AMQPError] = [:]
    private var returnIndex = ReturnIndex()
    private(set) var unconfirmed = 0
    /// Places that were given to publishers who have not taken their number yet.
    private var promised = 0
    /// Publishers that wait for a place.
    private(set) var waiters = WaitingLine<Void>()
    /// Whether a timer comes for those who wait though places are free.
    private var awaitsTimer = false

    init(limit: Int) { self.limit = limit }

    // MARK: Places

    /// Takes a place for a message.
    ///
    /// - Returns: nil, or what to wait for: then the place is taken.
    mutating func reserve() -> OneShot<Void>? {
        if hasRoom {
            promised += 1
            return nil
        }
        return waiters.join()
    }

    /// Says that one who waited for a place has stopped, and was given none.
    mutating func abandon() { waiters.leave() }

    /// Gives a place back that is not needed.
    mutating func release() { promised -= 1 }

    /// Whether enough places are free to let those in who wait. A broker confirms a few at a time: to wake a publisher for
    /// each, and to send its message by itself, costs more than all else, and with three fourths of the places taken the broker
    /// has enough to do.
    private var isWorthAdmitting: Bool {
        let taken = unconfirmed + promised
        return taken == 0 || limit - taken >= max(1, limit / 4)
    }

    /// Gives free places to those who wait, once there are a few. The caller resolves what is returned, and ``release()``s
    /// the places of those who have stopped waiting.
    ///
    /// - Parameter few: Whether a few are enough.
    mutating func admit(few: Bool = false) -> [OneShot<Void>] {
        var admitted: [OneShot<Void>] = []
        guard few || isWorthAdmitting else { return [] }
        while unconfirmed + promised < limit, let waiter = waiters.popFirst() {
            promised += 1
            admitted.append(waiter)
        }
        return admitted
    }

    /// Whether the caller has to come again in a moment to let those in who wait though places are free: the broker may not
    /// confirm the others for long. Says so once, until ``admitLate()``.
    mutating func beginsTimer() -> Bool {
        guard !awaitsTimer, !waiters.isEmpty, unconfirmed + promised < limit else { return false }
        awaitsTimer = true
        return true
    }

    /// What ``admit(few:)`` gives when that moment is over.
    mutating func admitLate() -> [OneShot<Void>] {
        awaitsTimer = false
        return admit(few: true)
    }

    // MARK: Numbers

    /// The number of the last message; 0 before the first.
    var last: UInt64 { base + UInt64(entries.count) - 1 }

    /// Whether every message up to this number has its outcome.
    func isSettled(upTo number: UInt64) -> Bool { base > number || unconfirmed == 0 }

    /// Whether a message may be published without waiting for a place.
    var hasRoom: Bool { unconfirmed + promised < limit && waiters.isEmpty }

    /// Gives the next message its number. Called in the order of the wire.
    ///
    /// - Parameters:
    ///   - exchange: Where it is published to.
    ///   - session: The channel.
    ///   - hasPlace: Whether a place was taken for it (``reserve()``).
    ///   - kept: The whole of it, if it may come back, or is to be published again.
    /// - Returns: What gets its outcome.
    mutating func publish(
        _ message: borrowing Message,
        to exchange: String,
        on session: ChannelSession,
        hasPlace: Bool,
        kept: Kept?
    ) -> PendingConfirm {
        if hasPlace { promised -= 1 }
        if kept == nil, let extras = message.extras, extras.isNamedByBroker {
            named[base + UInt64(entries.count)] = extras
        }
        unconfirmed += 1
        let confirm = PendingConfirm(run: run(to: exchange, on: session), size: message.body.count)
        entries.append(Entry(confirm: confirm, kept: kept))
        return confirm
    }

    @inline(__always)
    private mutating func run(to exchange: String, on session: ChannelSession) -> PublishRun {
        if let run, run.exchange == exchange, entries.count % PublishRun.length != 0 { return run }
        let run = PublishRun(session: session, exchange: exchange)
        self.run = run
        return run
    }

    /// Notes that a message came back; its outcome follows.
    ///
    /// It may have changed on its way: a broker takes headers out (`BCC`), adds some, and may encode numbers anew. What
    /// comes back belongs to something that was published in any case, lest the ack behind it confirm what is lost: to
    /// the first that is the same, else to the first with its body, else to the first with its exchange and key.
    ///
    /// - Returns: Whether it is one that is not confirmed yet.
    mutating func markReturned(_ message: ReturnedMessage) -> Bool {
        let numbers = base..<base + UInt64(entries.count)
        var index = ReturnIndex()
        swap(&index, &returnIndex)
        let number = index.find(message, in: numbers) { number in
            guard numbers.contains(number), returned[number] == nil else { return nil }
            return entries[Int(number - base)].mandatory
        }
        swap(&index, &returnIndex)
        guard let number else { return false }
        returned[number] = AMQPError(returned: message)
        return true
    }

    /// Takes the broker's word for one message, or for all up to it.
    ///
    /// - Parameters:
    ///   - number: The message's number; 0 with `multiple` means all.
    ///   - multiple: Whether all before it are meant too.
    ///   - error: nil for an ack, the error for a nack.
    /// - Returns: The outcomes to make known. A number that was never given, or is settled, has none.
    mutating func settle(_ number: UInt64, multiple: Bool, error: AMQPError?) -> Outcomes {
        var outcomes = Outcomes()
        guard let last = lastIndex(number, multiple: multiple) else { return outcomes }
        if multiple, error == nil, named.isEmpty, returned.isEmpty {
            takeFirst(last + 1, into: &outcomes.confirmed)
        } else {
            for index in multiple ? 0...last : last...last { take(index, error, into: &outcomes) }
        }
        while let first = entries.first, first.confirm == nil {
            entries.removeFirst()
            base += 1
        }
        // It holds the channel, which holds this.
        if entries.isEmpty { run = nil }
        return outcomes
    }

    /// The last entry that a number means.
    private func lastIndex(_ number: UInt64, multiple: Bool) -> Int? {
        guard !entries.isEmpty else { return nil }
        if multiple, number == 0 { return entries.count - 1 }
        guard number >= base else { return nil }
        let index = number - base
        if index < UInt64(entries.count) { return Int(index) }
        return multiple ? entries.count - 1 : nil
    }

    /// Takes out the first messages, which are confirmed. Publishers wait for it: without a look at each message's place, and
    /// in one go, `rmq perf publish-confirm` takes 5 % less.
    private mutating func takeFirst(_ count: Int, into confirmed: inout [PendingConfirm]) {
        confirmed.reserveCapacity(count)
        for _ in 0..<count {
            if let confirm = entries.removeFirst().confirm { confirmed.append(confirm) }
        }
        base += UInt64(count)
        unconfirmed -= confirmed.count
    }

    private mutating func take(_ index: Int, _ error: AMQPError?, into outcomes: inout Outcomes) {
        var entry = Entry()
        swap(&entry, &entries[index])
        guard let confirm = entry.confirm else { return }
        unconfirmed -= 1
        if !named.isEmpty { named[base + UInt64(index)] = nil }
        let undeliverable = returned.isEmpty ? nil : returned.removeValue(forKey: base + UInt64(index))
        if let error = undeliverable ?? error {
            outcomes.failed.append((confirm, error))
        } else {
            outcomes.confirmed.append(confirm)
        }
    }

    /// Takes out what is to be published again: all that is not confirmed and has not come back. After a verdict
    /// (``AMQPError/isVerdict``), which may be about any of them, only what has not met too many.
    mutating func takeKept(isVerdict: Bool = false) -> [UnconfirmedMessage] {
        var taken: [UnconfirmedMessage] = []
        for index in entries.indices where returned[base + UInt64(index)] == nil {
            guard let confirm = entries[index].confirm, let kept = entries[index].kept else { continue }
            if isVerdict, !kept.survivesVerdict() { continue }
            taken.append(UnconfirmedMessage(confirm: confirm, kept: kept))
            entries[index].confirm = nil
            unconfirmed -= 1
        }
        return taken
    }

    /// Takes in a message that was published on another session, and is published again on this one.
    mutating func adopt(_ message: UnconfirmedMessage) {
        unconfirmed += 1
        entries.append(Entry(confirm: message.confirm, kept: message.kept))
    }

    /// The messages that are not confirmed, in order.
    var pending: [PendingConfirm] { entries.compactMap(\.confirm) }

    /// Ends everything: what is not confirmed gets the error, or has come back; those who wait for a place fail.
    ///
    /// - Parameters:
    ///   - error: For messages of which nobody knows what became of them.
    ///   - cause: Why the channel has ended. If the broker closed it over one of the messages, that gets this error: it
    ///     did not arrive, and will not arrive another time.
    mutating func end(_ error: AMQPError, cause: AMQPError? = nil) -> (outcomes: Outcomes, waiters: [OneShot<Void>]) {
        var outcomes = Outcomes()
        let guilty = cause.flatMap { cause in PublishBlame(cause).flatMap { find($0) }.map { ($0, cause) } }
        for index in entries.indices { take(index, index == guilty?.0 ? guilty?.1 : error, into: &outcomes) }
        entries = []
        run = nil
        named = [:]
        returned = [:]
        returnIndex = ReturnIndex()
        return (outcomes, waiters.removeAll())
    }

    private func find(_ blame: PublishBlame) -> Int? {
        // What came back was routed, and was not what the broker took offence at.
        let open = entries.indices.filter { entries[$0].confirm != nil && returned[base + UInt64($0)] == nil }
        return blame.find(in: open.map { trace(of: $0) }).map { open[$0] }
    }

    /// What the broker may name if it closes the channel over the message.
    private func trace(of index: Int) -> PublishTrace {
        let (confirm, kept) = (entries[index].confirm, entries[index].kept)
        return PublishTrace(
            exchange: confirm?.run.exchange ?? "",
            routingKey: kept?.routingKey,
            size: confirm?.size ?? 0,
            extras: kept?.message.extras ?? named[base + UInt64(index)]
        )
    }
}

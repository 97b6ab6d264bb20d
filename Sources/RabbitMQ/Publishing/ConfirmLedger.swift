internal import DequeModule

/// The messages of a confirming channel that the broker has not confirmed yet, and who waits for room among them.
///
/// A value. Numbers as the broker counts: from 1, one for each basic.publish since confirm.select.
struct ConfirmLedger: Sendable {
    /// What a returned message is recognized by: basic.return carries no number. Returns come in the order of the
    /// publishes, before the confirms of the same messages.
    struct Mandatory: Sendable {
        var exchange: String
        var routingKey: String
        var message: Message
    }

    private struct Entry: Sendable {
        var confirmation: PendingConfirm?
        var mandatory: Mandatory?
        var returned: AMQPError?
    }

    /// An outcome to make known once the lock is released. No error means confirmed.
    struct Outcome: Sendable {
        var confirmation: PendingConfirm
        var error: AMQPError?
    }

    /// The most messages that may be unconfirmed.
    let limit: Int

    /// The number of the first entry; those below are settled.
    private var base: UInt64 = 1
    private var entries: Deque<Entry> = []
    private(set) var unconfirmed = 0
    /// Places that were given to publishers who have not taken their number yet.
    private var promised = 0
    private var waiters: Deque<OneShot<Void>> = []

    init(limit: Int) { self.limit = limit }

    // MARK: Places

    /// Takes a place for a message.
    ///
    /// - Returns: nil, or what to wait for: then the place is taken.
    mutating func reserve() -> OneShot<Void>? {
        guard unconfirmed + promised >= limit || !waiters.isEmpty else {
            promised += 1
            return nil
        }
        let waiter = OneShot<Void>()
        waiters.append(waiter)
        return waiter
    }

    /// Gives a place back that is not needed.
    mutating func release() { promised -= 1 }

    /// Gives free places to those who wait. The caller resolves what is returned, and ``release()``s the places of those
    /// who have stopped waiting.
    mutating func admit() -> [OneShot<Void>] {
        var admitted: [OneShot<Void>] = []
        while unconfirmed + promised < limit, let waiter = waiters.popFirst() {
            promised += 1
            admitted.append(waiter)
        }
        return admitted
    }

    // MARK: Numbers

    /// Gives the next message its number. Called in the order of the wire.
    ///
    /// - Parameters:
    ///   - confirmation: Gets its outcome.
    ///   - hasPlace: Whether a place was taken for it: not if confirming began after its publisher had looked.
    ///   - mandatory: What it is recognized by if it comes back.
    mutating func publish(
        _ confirmation: PendingConfirm,
        hasPlace: Bool = true,
        mandatory: @autoclosure () -> Mandatory?
    ) {
        if hasPlace { promised -= 1 }
        unconfirmed += 1
        entries.append(Entry(confirmation: confirmation, mandatory: mandatory(), returned: nil))
    }

    /// Notes that a message came back; its outcome follows.
    ///
    /// - Returns: Whether it is one that is not confirmed yet.
    mutating func markReturned(_ returned: ReturnedMessage) -> Bool {
        let index = entries.firstIndex { entry in
            guard let mandatory = entry.mandatory, entry.returned == nil else { return false }
            return mandatory.routingKey == returned.routingKey && mandatory.exchange == returned.exchangeName
                && mandatory.message == returned.message
        }
        guard let index else { return false }
        entries[index].returned = AMQPError(returned: returned)
        return true
    }

    /// Takes the broker's word for one message, or for all up to it.
    ///
    /// - Parameters:
    ///   - number: The message's number; 0 with `multiple` means all.
    ///   - multiple: Whether all before it are meant too.
    ///   - error: nil for an ack, the error for a nack.
    /// - Returns: The outcomes to make known. A number that was never given, or is settled, has none.
    mutating func settle(_ number: UInt64, multiple: Bool, error: AMQPError?) -> [Outcome] {
        guard !entries.isEmpty else { return [] }
        let last: Int
        if multiple && number == 0 {
            last = entries.count - 1
        } else {
            guard number >= base else { return [] }
            let index = number - base
            guard index < UInt64(entries.count) || multiple else { return [] }
            last = Int(min(index, UInt64(entries.count - 1)))
        }
        var outcomes: [Outcome] = []
        if multiple { outcomes.reserveCapacity(last + 1) }
        for index in (multiple ? 0 : last)...last {
            guard let confirmation = entries[index].confirmation else { continue }
            outcomes.append(Outcome(confirmation: confirmation, error: entries[index].returned ?? error))
            entries[index].confirmation = nil
            entries[index].mandatory = nil
            unconfirmed -= 1
        }
        while let first = entries.first, first.confirmation == nil {
            entries.removeFirst()
            base += 1
        }
        return outcomes
    }

    /// The messages that are not confirmed, in order.
    var pending: [PendingConfirm] { entries.compactMap(\.confirmation) }

    /// Ends everything: what is not confirmed gets the error, or has come back; those who wait for a place fail.
    mutating func end(_ error: AMQPError) -> (outcomes: [Outcome], waiters: Deque<OneShot<Void>>) {
        let outcomes = entries.compactMap { entry in
            entry.confirmation.map { Outcome(confirmation: $0, error: entry.returned ?? error) }
        }
        defer {
            entries = []
            waiters = []
            unconfirmed = 0
        }
        return (outcomes, waiters)
    }
}

/// A message as a handler is to see it, and what was noted on it while it was tried. A value.
///
/// What is published anew is routed anew, so that a broker would act on parts of it that were meant for the first time only:
/// headers that have it copied to other queues, deaths by which it is told that it goes in a circle, and dropped; its user,
/// who is another one than who publishes it now; its time to live, with which it would not wait long enough. These are put
/// aside in a header while it waits, and are where they were when a handler sees it.
struct RetriedMessage: Hashable, Sendable {
    /// As it was published, but for the ring's own headers.
    var message: Message
    /// To where it was published at first.
    var exchange: String
    var routingKey: String
    /// How often it was tried, and failed.
    var failures = 0
    /// When that was for the first time, in seconds since 1970; nil if it was not noted.
    var firstFailure: UInt64?
    /// How long it still has to wait, in milliseconds.
    var rest: Int64 = 0

    init(message: Message, exchange: String, routingKey: String) {
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
    }

    // MARK: The headers

    private static let attempt = IncomingMessage.retryAttempt
    private static let queue = IncomingMessage.retryQueue
    private static let error = "x-retry-error"
    private static let exchange = "x-retry-exchange"
    private static let routingKey = "x-retry-routing-key"
    private static let firstFailure = "x-retry-first-failure"
    private static let lastFailure = "x-retry-last-failure"
    private static let rest = "x-retry-rest"
    private static let kept = "x-retry-kept"

    /// What a broker acts on, or writes when a message dies: of its own way.
    private static let ofItsWay = [
        "CC", "BCC", "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
        "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason",
    ]
    /// What a quorum queue writes on each delivery.
    private static let ofADelivery = ["x-delivery-count", "x-acquired-count"]

    private static func isOwn(_ header: String) -> Bool { header.hasPrefix("x-retry-") }

    /// Reads a delivery.
    ///
    /// - Parameters:
    ///   - delivered: The message as it came.
    ///   - exchange: The exchange it came from.
    ///   - routingKey: Its key there.
    ///   - queue: The queue it came from: what was noted for another one doesn't count.
    init(delivered: Message, exchange: String, routingKey: String, queue: String) {
        self.init(message: delivered, exchange: exchange, routingKey: routingKey)
        // Somebody has moved it back as it was parked.
        if let parked = delivered.parked, parked.queue == queue {
            self.init(message: parked.original, exchange: parked.exchange, routingKey: parked.routingKey)
            return
        }
        // One that comes for the first time has its headers left as they are.
        guard let failures = delivered.header(Self.attempt)?.intValue, failures >= 0,
            delivered.header(Self.queue)?.stringValue == queue, var headers = delivered.headers
        else { return }
        self.failures = failures
        if case .timestamp(let seconds) = headers[Self.firstFailure] { firstFailure = seconds }
        rest = max(0, Int64(headers[Self.rest]?.intValue ?? 0))
        self.exchange = headers[Self.exchange]?.text ?? exchange
        self.routingKey = headers[Self.routingKey]?.text ?? routingKey
        let kept = headers[Self.kept]?.tableValue
        for name in Self.ofItsWay { headers[name] = nil }
        for name in [Self.exchange, Self.routingKey, Self.rest, Self.kept] { headers[name] = nil }
        message.restore(kept, headers)
    }

    /// The message as it goes to wait, or back to its queue.
    ///
    /// - Parameters:
    ///   - route: Its way.
    ///   - queue: The queue to which it comes back.
    ///   - error: What to note of why it waits; nil for what is noted already.
    ///   - time: When it failed, in seconds since 1970; nil if it has only more to wait.
    func sealed(for route: RetryRing.Route, queue: String, error: String?, at time: UInt64?) -> Message {
        var sealed = message
        var headers = message.headers ?? [:]
        let kept = Self.takeApart(&sealed, &headers)
        headers[Self.attempt] = .int64(Int64(clamping: failures))
        headers[Self.queue] = .string(queue)
        headers[Self.exchange] = FieldValue(text: exchange)
        headers[Self.routingKey] = FieldValue(text: routingKey)
        headers[Self.firstFailure] = (firstFailure ?? time).map { .timestamp($0) }
        if let time { headers[Self.lastFailure] = .timestamp(time) }
        if let error { headers[Self.error] = .string(error) }
        headers[Self.rest] = route.rest > 0 ? .int64(route.rest) : nil
        headers[Self.kept] = kept
        sealed.headers = headers
        sealed.expiration = route.expiration.map { String($0) }
        return sealed
    }

    /// The message as it is parked.
    ///
    /// - Parameters:
    ///   - queue: The queue in which it was not processed.
    ///   - error: Why.
    ///   - time: When, in seconds since 1970.
    func parked(from queue: String, error: String?, at time: UInt64) -> Message {
        var parked = message
        var headers = message.headers ?? [:]
        let kept = Self.takeApart(&parked, &headers)
        headers = headers.filter { !Self.isOwn($0.key) }
        headers[ParkedMessage.error] = error.map { .string($0) }
        headers[ParkedMessage.attempts] = .int64(Int64(clamping: failures))
        headers[ParkedMessage.firstFailure] = .timestamp(firstFailure ?? time)
        headers[ParkedMessage.lastFailure] = .timestamp(time)
        headers[ParkedMessage.queue] = .string(queue)
        headers[ParkedMessage.exchange] = FieldValue(text: exchange)
        headers[ParkedMessage.routingKey] = FieldValue(text: routingKey)
        headers[ParkedMessage.kept] = kept
        parked.headers = headers
        return parked
    }

    /// The message as it is parked if it can't be sent with what is to be noted on it: as it came but for what a broker
    /// would act on; and if not even so, because its headers are such that no client may send them, without any.
    var bare: [Message] {
        var bare = message
        var headers = message.headers ?? [:]
        _ = Self.takeApart(&bare, &headers)
        headers = headers.filter { !Self.isOwn($0.key) }
        bare.headers = headers.isEmpty ? nil : headers
        guard !headers.isEmpty else { return [bare] }
        var headless = bare
        headless.headers = nil
        return [bare, headless]
    }

    /// Puts aside what a broker would act on.
    ///
    /// - Returns: A table of it, nil if there is none.
    private static func takeApart(_ message: inout Message, _ headers: inout FieldTable) -> FieldValue? {
        var (kept, ofItsWay): (FieldTable, FieldTable) = ([:], [:])
        for name in Self.ofItsWay {
            if let value = headers.removeValue(forKey: name) { ofItsWay[name] = value }
        }
        for name in ofADelivery { headers[name] = nil }
        if !ofItsWay.isEmpty { kept["headers"] = .table(ofItsWay) }
        kept["expiration"] = message.expiration.map { FieldValue(text: $0) }
        kept["user-id"] = message.userID.map { FieldValue(text: $0) }
        message.updateTexts {
            $0.expiration = nil
            $0.userID = nil
        }
        return kept.isEmpty ? nil : .table(kept)
    }
}

extension Message {
    /// Puts back what was put aside.
    mutating func restore(_ kept: FieldTable?, _ headers: FieldTable) {
        let all = headers.merging(kept?["headers"]?.tableValue ?? [:]) { _, kept in kept }
        updateExtras {
            $0.headers = all.isEmpty ? nil : all
            $0.expiration = kept?["expiration"]?.text
            $0.userID = kept?["user-id"]?.text
        }
    }
}

extension FieldValue {
    /// A text that may stand for bytes which are not UTF-8, and stays so.
    init(text: String) {
        let bytes = text.amqpBytes
        self = bytes.elementsEqual(text.utf8) ? .string(text) : .bytes(bytes)
    }

    /// What ``init(text:)`` was given.
    var text: String? {
        switch self {
        case .string(let text): text
        case .bytes(let bytes): String(amqpBytes: bytes)
        default: nil
        }
    }
}

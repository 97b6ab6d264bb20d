extension Message {
    /// The largest ``timeToLive`` that RabbitMQ takes, in milliseconds: just under 50 days.
    static let maxTimeToLive: Int64 = 4_294_967_295

    /// How long the message may wait in a queue: ``expiration`` as a duration, in whole milliseconds.
    ///
    /// Nil if there is no expiration, or if it is not a number. Setting rounds up to a millisecond; a negative duration
    /// becomes zero, which lets a message go only to a consumer that is ready for it; one above 4,294,967,295
    /// milliseconds becomes that. See [RabbitMQ's page on TTL](https://www.rabbitmq.com/docs/ttl).
    public var timeToLive: Duration? {
        get {
            guard let expiration, let milliseconds = UInt64(expiration) else { return nil }
            let seconds = Int64(milliseconds / 1_000)
            return Duration(
                secondsComponent: seconds,
                attosecondsComponent: Int64(milliseconds % 1_000) * 1_000_000_000_000_000
            )
        }
        set { expiration = newValue.map(Self.expiration(of:)) }
    }

    /// What ``expiration`` is for a ``timeToLive``.
    static func expiration(of duration: Duration) -> String {
        guard duration > .zero else { return "0" }
        // Checked before `components`, whose seconds do not hold every duration.
        guard duration < .milliseconds(maxTimeToLive) else { return String(maxTimeToLive) }
        let (seconds, attoseconds) = duration.components
        let (milliseconds, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        return String(seconds * 1_000 + milliseconds + (rest > 0 ? 1 : 0))
    }
}

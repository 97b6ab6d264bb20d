/// What becomes of a message whose body does not decode: see ``Deliveries/decoded(as:decoder:onUndecodable:)``.
public struct UndecodablePolicy: Sendable {
    enum Kind: Sendable {
        case fail
        case deadLetterOrFail
        case settle(Disposition)
        case handle(@Sendable (IncomingMessage, AMQPError) async throws -> Void)
    }

    let kind: Kind

    /// The loop ends with the error, and the message goes back to its queue. Nothing is lost, but whoever begins again
    /// meets the same message again.
    public static let fail = UndecodablePolicy(kind: .fail)

    /// ``deadLetter`` where the queue was declared, through the handle that consumes it, with a
    /// ``QueueArguments/deadLetterExchange``; else ``fail``, so that nothing is dropped. A dead-letter exchange that a
    /// policy of the broker's gives isn't known here: say ``deadLetter`` then.
    public static let deadLetterOrFail = UndecodablePolicy(kind: .deadLetterOrFail)

    /// It is logged and goes to the queue's dead-letter exchange, or is dropped if there is none; the loop goes on.
    public static let deadLetter = UndecodablePolicy(kind: .settle(.deadLetter))

    /// It is logged and acknowledged, which drops it; the loop goes on.
    public static let discard = UndecodablePolicy(kind: .settle(.acknowledge))

    /// It is handed to a closure, and the loop goes on.
    ///
    /// - Parameter body: Gets the message and the error. When it returns, the message is acknowledged, unless it has
    ///   settled it by itself. When it throws, the message goes back to its queue and the loop ends with that error.
    public static func handle(
        _ body: @escaping @Sendable (_ message: IncomingMessage, _ error: AMQPError) async throws -> Void
    ) -> UndecodablePolicy {
        UndecodablePolicy(kind: .handle(body))
    }
}

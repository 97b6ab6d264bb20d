/// Gives calls another time than the configuration's: each of those that `body` waits for may take as long as `timeout`.
///
/// ```swift
/// let message = try await withCallTimeout(.seconds(2)) { try await queue.get() }
/// ```
///
/// It stands in for ``ConnectionConfiguration/callTimeout`` wherever `body` waits for the broker's answer, and for the
/// connection while it is lost: opening channels, declaring, binding, getting, consuming, cancelling, deleting,
/// transactions, confirms, ``Connection/flush(timeout:)``. It also stands in for
/// ``ConnectionConfiguration/publishTimeout`` where a publish has to wait, for ``RPCClient/timeout`` and for a publisher's
/// ``Publisher/Options/timeout``. It applies to every connection that `body` uses, and to the tasks that it begins, but for
/// `Task.detached`.
///
/// - Each call has the whole time: three calls one after the other may take three times as long. `apply` of a
///   ``Topology`` is many calls.
/// - It may be shorter or longer than the configuration's. Within each other the innermost counts, and a `timeout:` that
///   a call is given counts before any.
/// - With zero or less, what would have to wait gives up at once. It may have been sent already, and is carried out then.
/// - Connecting and closing have the times of the configuration (``ConnectionConfiguration/connectTimeout``,
///   ``ConnectionConfiguration/closeTimeout``). Waiting for deliveries, for returned messages, for events or for an end is no call
///   and has no limit.
/// - What is begun in `body` and outlives it has the configuration's times again: callbacks of consumers, RPC servers'
///   handlers, the recovery of a connection.
///
/// - Parameters:
///   - timeout: How long each call may take.
///   - isolation: The actor on which `body` runs; the caller's by default.
///   - body: What makes the calls.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws. A call whose time is over throws ``AMQPError/Code/timedOut``, a publish
///   ``AMQPError/Code/blockedTooLong``; the channel stays usable, as with the configuration's times.
public func withCallTimeout<Result>(
    _ timeout: Duration,
    isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Result
) async rethrows -> Result {
    try await CallTimeout.$current.withValue(timeout, operation: body)
}

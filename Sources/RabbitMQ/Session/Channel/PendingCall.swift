/// What a call on a channel is answered with.
enum Reply: Sendable {
    case method(ServerMethod)
    /// A message that was asked for.
    case message(IncomingMessage)
}

/// A call that waits for its answer.
struct PendingCall: Sendable {
    let method: ClientMethod
    let reply: OneShot<Reply>
    /// The consumer that begins with the answer.
    var consumer: Consumer?
    /// What a message that is asked for belongs to.
    var source: DeliverySource?
    /// Whether somebody waits for the answer, or will.
    var isAwaited = true
    /// Whether its consumer was there before, and goes on however late the answer comes.
    var isResumption = false
}

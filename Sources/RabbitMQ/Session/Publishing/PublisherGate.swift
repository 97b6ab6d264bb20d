/// The publishers of a channel that wait. A value.
struct PublisherGate: Sendable {
    /// Whether the broker has stopped the flow (channel.flow).
    var isStopped = false
    /// Those who wait until the flow goes on, or a commit is answered.
    private(set) var flowWaiters = WaitingLine<Void>()
    /// Those who wait for room on the connection.
    var roomWaiters: [ObjectIdentifier: OneShot<Void>] = [:]

    var isAwaited: Bool { !flowWaiters.isEmpty || !roomWaiters.isEmpty }

    mutating func join() -> OneShot<Void> { flowWaiters.join() }

    /// Says that one has stopped waiting for the flow.
    mutating func abandon() { flowWaiters.leave() }

    /// Has nobody wait for the flow any more.
    mutating func takeFlowWaiters() -> [OneShot<Void>] { flowWaiters.removeAll() }
}

/// Messages that an iterator has taken, and that nobody has seen while it waits for more.
final class HeldBatch: Sendable {
    let messages: [IncomingMessage]

    init(_ messages: [IncomingMessage]) { self.messages = messages }
}

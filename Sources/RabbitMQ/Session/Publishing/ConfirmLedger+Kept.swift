extension ConfirmLedger {
    /// What a returned message is recognized by: basic.return carries no number. Returns come in the order of the
    /// publishes, before the confirms of the same messages; see ``markReturned(_:)``. And what is published again, if that
    /// is asked for. An object, as most entries have none; and no ``Publish``, which is made only for a message that has to
    /// wait, and may hold a session.
    final class Kept: Sendable {
        let exchange: String
        let routingKey: String
        let message: Message
        /// Whether it comes back if it reaches no queue.
        let isMandatory: Bool

        init(exchange: String, routingKey: String, message: Message, isMandatory: Bool = true) {
            self.exchange = exchange
            self.routingKey = routingKey
            self.message = message
            self.isMandatory = isMandatory
        }
    }
}

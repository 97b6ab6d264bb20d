internal import Synchronization

extension ConfirmLedger {
    /// What a returned message is recognized by: basic.return carries no number. Returns come in the order of the
    /// publishes, before the confirms of the same messages; see ``markReturned(_:)``. And what is published again, if that
    /// is asked for. An object, as most entries have none; and no ``Publish``, which is made only for a message that has to
    /// wait, and may hold a session.
    final class Kept: Sendable {
        /// How many verdicts a message may meet: the broker would be made to close the connection over it again and again, for
        /// all others too, and its receipt would never have an outcome.
        private static let mostVerdicts: UInt8 = 3

        let exchange: String
        let routingKey: String
        let message: Message
        /// Whether it comes back if it reaches no queue.
        let isMandatory: Bool
        /// How often the broker has closed the connection over something while this was not confirmed.
        private let verdicts: Atomic<UInt8>

        init(
            exchange: String,
            routingKey: String,
            message: Message,
            isMandatory: Bool = true,
            verdicts: UInt8 = 0
        ) {
            self.exchange = exchange
            self.routingKey = routingKey
            self.message = message
            self.isMandatory = isMandatory
            self.verdicts = Atomic(verdicts)
        }

        func readdressed(_ routingKey: String) -> Kept {
            Kept(
                exchange: exchange,
                routingKey: routingKey,
                message: message,
                isMandatory: isMandatory,
                verdicts: verdicts.load(ordering: .relaxed)
            )
        }

        /// Notes that the broker has closed the connection over something, perhaps this.
        ///
        /// - Returns: Whether it may be published again.
        func survivesVerdict() -> Bool {
            verdicts.wrappingAdd(1, ordering: .relaxed).newValue < Self.mostVerdicts
        }
    }
}

/// Whether a message survives a restart of the broker, if the queue that holds it does.
public struct DeliveryMode: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt8

    /// Makes a mode from its number on the wire; every number is accepted.
    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The message may be lost when the broker restarts: `non-persistent`, 1.
    ///
    /// Brokers take an absent mode for this one.
    public static let transient = DeliveryMode(rawValue: 1)

    /// The broker writes the message to disk if the queue is durable: `persistent`, 2.
    public static let persistent = DeliveryMode(rawValue: 2)
}

extension DeliveryMode: CustomStringConvertible {
    /// `transient`, `persistent` or the number.
    public var description: String {
        switch self {
        case .transient: "transient"
        case .persistent: "persistent"
        default: "delivery mode \(rawValue)"
        }
    }
}

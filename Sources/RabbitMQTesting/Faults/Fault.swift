public import RabbitMQ

/// Something that goes wrong on command: see ``InProcessBroker/inject(_:at:skipping:times:)``.
///
/// By itself it takes the place of what the client has asked for. With ``afterwards`` the broker does that first.
public struct Fault: Sendable, Hashable {
    enum Kind: Hashable {
        case cut(resets: Bool)
        case freeze
        case ignore
        case nack
        case returned(ReplyCode, String)
        case closeChannel(ReplyCode, String)
        case closeConnection(ReplyCode, String)
    }

    let kind: Kind
    var isAfterwards = false

    init(_ kind: Kind) { self.kind = kind }

    /// The connection is closed without a word.
    public static let cut = Fault(.cut(resets: false))

    /// The connection is broken (TCP's RST).
    public static let reset = Fault(.cut(resets: true))

    /// Nothing is read from the connection, and nothing written, until ``InProcessBroker/thaw(_:)``. What was asked for is
    /// not done then either: with ``afterwards`` it is, and its answer waits.
    public static let freeze = Fault(.freeze)

    /// What was asked for is not done and never answered. A message that is published is neither stored nor confirmed; one
    /// that is delivered does not arrive, and is unsettled until its channel ends.
    public static let ignore = Fault(.ignore)

    /// A message is not stored, and refused with `basic.nack`. For messages that are published on a channel with confirms;
    /// on another occasion nothing happens.
    public static let nack = Fault(.nack)

    /// A message is not stored and comes back with `basic.return`, whether it was mandatory or not; then it is confirmed,
    /// as an unroutable one is. For messages that are published; on another occasion nothing happens.
    ///
    /// - Parameters:
    ///   - code: The code that comes with it.
    ///   - text: The text that comes with it.
    public static func returned(_ code: ReplyCode = .noRoute, _ text: String = "NO_ROUTE") -> Fault {
        Fault(.returned(code, text))
    }

    /// The channel is closed: `channel.close`. Nothing happens where none is concerned.
    ///
    /// - Parameters:
    ///   - code: The code that comes with it.
    ///   - text: What follows the code's name in the reply text.
    public static func closeChannel(_ code: ReplyCode, _ text: String = "by the test") -> Fault {
        Fault(.closeChannel(code, text))
    }

    /// The connection is closed: `connection.close`.
    ///
    /// - Parameters:
    ///   - code: The code that comes with it.
    ///   - text: What follows the code's name in the reply text.
    public static func closeConnection(_ code: ReplyCode = .connectionForced, _ text: String = "by the test") -> Fault {
        Fault(.closeConnection(code, text))
    }

    /// The same, once the broker has done what was asked for.
    public var afterwards: Fault {
        var fault = self
        fault.isAfterwards = true
        return fault
    }
}

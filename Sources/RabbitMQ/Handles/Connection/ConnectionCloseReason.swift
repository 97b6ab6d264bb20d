/// Why a connection has ended.
public struct ConnectionCloseReason: Sendable, CustomStringConvertible {
    /// Who ended a connection.
    public struct Kind: Sendable, Hashable, CustomStringConvertible {
        private enum Value { case application, server, lost }

        private let value: Value

        /// The application closed it.
        public static let closedByApplication = Kind(value: .application)
        /// The server closed it, with a code and a text.
        public static let closedByServer = Kind(value: .server)
        /// The transport broke, fell silent, or carried what is no AMQP.
        public static let lost = Kind(value: .lost)

        /// In words.
        public var description: String {
            switch value {
            case .application: "closed by the application"
            case .server: "closed by the server"
            case .lost: "connection lost"
            }
        }
    }

    /// Who ended it.
    public let kind: Kind

    /// What every call that waited, and every later one, throws.
    public let error: AMQPError

    init(_ error: AMQPError) {
        self.error = error
        kind =
            switch error.code {
            case .connectionClosed: error.replyCode == nil ? .closedByApplication : .closedByServer
            default: .lost
            }
    }

    /// The code that the server gave; nil unless it closed the connection.
    public var replyCode: ReplyCode? { error.replyCode }

    /// The text that the server gave, as it came; nil unless it closed the connection. ``description`` is fit for a log.
    public var replyText: String? { error.replyText }

    /// Who and why, in words.
    public var description: String { "\(kind): \(error.message)" }
}

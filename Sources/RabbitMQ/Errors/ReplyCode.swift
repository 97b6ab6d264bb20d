/// A code with which an AMQP peer says why it closed a channel or a connection, or why it returned a message.
///
/// The values are those of the AMQP 0-9-1 specification, section 1.2 ("Constants"). A code that the specification
/// doesn't know is kept as it came.
///
/// ```swift
/// if error.replyCode == .notFound { try await declareEverything() }
/// ```
public struct ReplyCode: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Makes a code from its number on the wire; every number is accepted.
    @inlinable
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Nothing is wrong: `reply-success`, 200.
    public static let success = ReplyCode(rawValue: 200)

    /// The content is larger than the peer takes at present: `content-too-large`, 311.
    public static let contentTooLarge = ReplyCode(rawValue: 311)

    /// A mandatory message reached no queue: `no-route`, 312.
    public static let noRoute = ReplyCode(rawValue: 312)

    /// An immediate message reached no consumer: `no-consumers`, 313.
    public static let noConsumers = ReplyCode(rawValue: 313)

    /// An operator closed the connection: `connection-forced`, 320.
    public static let connectionForced = ReplyCode(rawValue: 320)

    /// The virtual host is unknown: `invalid-path`, 402.
    ///
    /// RabbitMQ sends `not-allowed` instead.
    public static let invalidPath = ReplyCode(rawValue: 402)

    /// The user lacks a permission: `access-refused`, 403.
    public static let accessRefused = ReplyCode(rawValue: 403)

    /// The queue, exchange or other entity does not exist: `not-found`, 404.
    public static let notFound = ReplyCode(rawValue: 404)

    /// Another connection holds the entity exclusively: `resource-locked`, 405.
    public static let resourceLocked = ReplyCode(rawValue: 405)

    /// The entity is not in the state that the method asks for: `precondition-failed`, 406.
    public static let preconditionFailed = ReplyCode(rawValue: 406)

    /// A frame was malformed: `frame-error`, 501.
    public static let frameError = ReplyCode(rawValue: 501)

    /// A frame held an illegal value: `syntax-error`, 502.
    public static let syntaxError = ReplyCode(rawValue: 502)

    /// A method came out of order: `command-invalid`, 503.
    public static let commandInvalid = ReplyCode(rawValue: 503)

    /// A method came on a channel that is not open: `channel-error`, 504.
    public static let channelError = ReplyCode(rawValue: 504)

    /// A frame came that nobody waited for: `unexpected-frame`, 505.
    public static let unexpectedFrame = ReplyCode(rawValue: 505)

    /// The server lacks the resources: `resource-error`, 506.
    public static let resourceError = ReplyCode(rawValue: 506)

    /// What was asked for is not allowed in the current state or by the settings: `not-allowed`, 530.
    public static let notAllowed = ReplyCode(rawValue: 530)

    /// The server does not implement the method: `not-implemented`, 540.
    public static let notImplemented = ReplyCode(rawValue: 540)

    /// The server failed: `internal-error`, 541.
    public static let internalError = ReplyCode(rawValue: 541)
}

extension ReplyCode {
    /// Whether the specification calls this code a hard error: one that closes the whole connection, not one channel.
    ///
    /// False for a code that the specification does not know.
    package var isConnectionError: Bool {
        switch self {
        case .connectionForced, .invalidPath, .frameError, .syntaxError, .commandInvalid, .channelError,
            .unexpectedFrame, .resourceError, .notAllowed, .notImplemented, .internalError:
            true
        default:
            false
        }
    }

    /// The name that the specification gives this code, such as `not-found`; nil for a code that it does not know.
    var protocolName: String? {
        switch self {
        case .success: "reply-success"
        case .contentTooLarge: "content-too-large"
        case .noRoute: "no-route"
        case .noConsumers: "no-consumers"
        case .connectionForced: "connection-forced"
        case .invalidPath: "invalid-path"
        case .accessRefused: "access-refused"
        case .notFound: "not-found"
        case .resourceLocked: "resource-locked"
        case .preconditionFailed: "precondition-failed"
        case .frameError: "frame-error"
        case .syntaxError: "syntax-error"
        case .commandInvalid: "command-invalid"
        case .channelError: "channel-error"
        case .unexpectedFrame: "unexpected-frame"
        case .resourceError: "resource-error"
        case .notAllowed: "not-allowed"
        case .notImplemented: "not-implemented"
        case .internalError: "internal-error"
        default: nil
        }
    }
}

extension ReplyCode: CustomStringConvertible {
    /// The number and, if there is one, the protocol's name: `404 not-found`.
    public var description: String {
        if let protocolName { "\(rawValue) \(protocolName)" } else { "\(rawValue)" }
    }
}

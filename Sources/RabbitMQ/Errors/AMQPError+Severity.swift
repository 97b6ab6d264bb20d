extension AMQPError.Code {
    /// Whether this kind of error ends the connection on which it appears.
    var isConnectionFatal: Bool {
        switch kind {
        case .connectionForced, .invalidPath, .frameError, .syntaxError, .commandInvalid, .channelError,
            .unexpectedFrame, .resourceError, .notAllowed, .notImplemented, .internalError, .connectionFailed,
            .connectionLost, .connectionClosed, .authenticationFailed, .protocolViolation, .tlsFailed:
            true
        default:
            false
        }
    }

    /// Whether this kind of error ends the channel on which it appears.
    var isChannelFatal: Bool {
        switch kind {
        case .contentTooLarge, .noRoute, .noConsumers, .connectionForced, .invalidPath, .accessRefused, .notFound,
            .resourceLocked, .preconditionFailed, .frameError, .syntaxError, .commandInvalid, .channelError,
            .unexpectedFrame, .resourceError, .notAllowed, .notImplemented, .internalError, .unknownReplyCode,
            .connectionFailed, .connectionLost, .connectionClosed, .channelClosed, .authenticationFailed,
            .protocolViolation, .tlsFailed:
            true
        default:
            false
        }
    }

    /// The kind of error that a peer means with `replyCode`; ``unknownReplyCode`` if the specification has no such
    /// code.
    init(replyCode: ReplyCode) {
        switch replyCode {
        case .contentTooLarge: self = .contentTooLarge
        case .noRoute: self = .noRoute
        case .noConsumers: self = .noConsumers
        case .connectionForced: self = .connectionForced
        case .invalidPath: self = .invalidPath
        case .accessRefused: self = .accessRefused
        case .notFound: self = .notFound
        case .resourceLocked: self = .resourceLocked
        case .preconditionFailed: self = .preconditionFailed
        case .frameError: self = .frameError
        case .syntaxError: self = .syntaxError
        case .commandInvalid: self = .commandInvalid
        case .channelError: self = .channelError
        case .unexpectedFrame: self = .unexpectedFrame
        case .resourceError: self = .resourceError
        case .notAllowed: self = .notAllowed
        case .notImplemented: self = .notImplemented
        case .internalError: self = .internalError
        default: self = .unknownReplyCode
        }
    }
}

extension AMQPError {
    /// What kind of error it is, to tell errors apart in a `catch`.
    ///
    /// ```swift
    /// do {
    ///     try await channel.declareQueue("orders", passive: true)
    /// } catch AMQPError.Code.notFound {
    ///     // make it
    /// }
    /// ```
    ///
    /// More codes may come; code that switches over them needs a `default`.
    public struct Code: Hashable, Sendable {
        enum Kind: UInt8, Sendable, CaseIterable {
            case contentTooLarge, noRoute, noConsumers, connectionForced
            case invalidPath, accessRefused, notFound, resourceLocked
            case preconditionFailed, frameError, syntaxError, commandInvalid
            case channelError, unexpectedFrame, resourceError, notAllowed
            case notImplemented, internalError, unknownReplyCode, connectionFailed
            case connectionLost, connectionClosed, channelClosed, authenticationFailed
            case timedOut, undeliverable, nacked, outcomeUnknown
            case blockedTooLong, deleted, invalidExchangeName, invalidName
            case invalidArgument, invalidMessage, encodingFailed, decodingFailed
            case alreadySettled, staleDelivery, protocolViolation, tlsFailed
            case invalidURI, tooManyChannels, consumerCancelled, unsupported
            case topologyConflict
        }

        let kind: Kind

        init(_ kind: Kind) {
            self.kind = kind
        }
    }
}

extension AMQPError.Code {
    /// The broker cannot take content of this size at present: reply code 311, `content-too-large`.
    public static let contentTooLarge = AMQPError.Code(.contentTooLarge)

    /// The message has no route: reply code 312, `no-route`, as the reason for which a channel closed.
    public static let noRoute = AMQPError.Code(.noRoute)

    /// There is no consumer at present: reply code 313, `no-consumers`.
    public static let noConsumers = AMQPError.Code(.noConsumers)

    /// The broker or its operator closed the connection: reply code 320, `connection-forced`.
    public static let connectionForced = AMQPError.Code(.connectionForced)

    /// The virtual host is unknown: reply code 402, `invalid-path`.
    public static let invalidPath = AMQPError.Code(.invalidPath)

    /// The user lacks the permission: reply code 403, `access-refused`.
    public static let accessRefused = AMQPError.Code(.accessRefused)

    /// The queue, exchange or virtual host does not exist: reply code 404, `not-found`.
    public static let notFound = AMQPError.Code(.notFound)

    /// Another connection holds the queue exclusively: reply code 405, `resource-locked`.
    public static let resourceLocked = AMQPError.Code(.resourceLocked)

    /// The entity is not as the method asks, such as declared otherwise: reply code 406, `precondition-failed`.
    public static let preconditionFailed = AMQPError.Code(.preconditionFailed)

    /// The broker says that it got a malformed frame: reply code 501, `frame-error`.
    public static let frameError = AMQPError.Code(.frameError)

    /// The broker says that it got a frame with illegal values: reply code 502, `syntax-error`.
    public static let syntaxError = AMQPError.Code(.syntaxError)

    /// The broker says that a method came out of order: reply code 503, `command-invalid`.
    public static let commandInvalid = AMQPError.Code(.commandInvalid)

    /// The broker says that a method came on a channel that is not open: reply code 504, `channel-error`.
    public static let channelError = AMQPError.Code(.channelError)

    /// The broker says that a frame came out of order: reply code 505, `unexpected-frame`.
    public static let unexpectedFrame = AMQPError.Code(.unexpectedFrame)

    /// The broker lacks the resources: reply code 506, `resource-error`.
    public static let resourceError = AMQPError.Code(.resourceError)

    /// The broker does not allow this: reply code 530, `not-allowed`.
    public static let notAllowed = AMQPError.Code(.notAllowed)

    /// The broker does not implement the method: reply code 540, `not-implemented`.
    public static let notImplemented = AMQPError.Code(.notImplemented)

    /// The broker failed: reply code 541, `internal-error`.
    public static let internalError = AMQPError.Code(.internalError)

    /// The broker gave a reply code that the specification does not know; see ``AMQPError/replyCode``.
    public static let unknownReplyCode = AMQPError.Code(.unknownReplyCode)

    /// No connection came about: the name is unknown, the host unreachable, or it refused.
    public static let connectionFailed = AMQPError.Code(.connectionFailed)

    /// The transport broke, or the peer went silent; ``AMQPError/underlying`` keeps the cause.
    public static let connectionLost = AMQPError.Code(.connectionLost)

    /// The connection is closed, by the application or by the broker's closing handshake.
    public static let connectionClosed = AMQPError.Code(.connectionClosed)

    /// The channel is closed, by the application or with its connection; open another one.
    public static let channelClosed = AMQPError.Code(.channelClosed)

    /// The broker refused the credentials or the way in which they were given.
    public static let authenticationFailed = AMQPError.Code(.authenticationFailed)

    /// The deadline passed before the answer came; whether the broker did what was asked is not known.
    public static let timedOut = AMQPError.Code(.timedOut)

    /// The broker returned a mandatory message; ``AMQPError/returned`` holds it.
    public static let undeliverable = AMQPError.Code(.undeliverable)

    /// The broker refused a published message (`basic.nack`), because a queue is full for example.
    public static let nacked = AMQPError.Code(.nacked)

    /// Channel or connection ended before the broker confirmed, and not over this message: it may have arrived, so that
    /// publishing again may double it. ``AMQPError/underlying`` is why they ended.
    public static let outcomeUnknown = AMQPError.Code(.outcomeUnknown)

    /// Publishing had to wait for longer than ``ConnectionConfiguration/publishTimeout``, and nothing was sent; the message
    /// says for what: the connection is made again, the broker blocks it, has stopped the channel's flow or has not answered
    /// its commit, too much is unconfirmed or waits to be written. ``Connection/health`` tells the first two apart.
    public static let blockedTooLong = AMQPError.Code(.blockedTooLong)

    /// The queue, exchange or binding was deleted through this very object.
    public static let deleted = AMQPError.Code(.deleted)

    /// The name of the exchange is not allowed here; nothing was sent.
    public static let invalidExchangeName = AMQPError.Code(.invalidExchangeName)

    /// The name of a queue, a consumer or another entity is not allowed; nothing was sent.
    public static let invalidName = AMQPError.Code(.invalidName)

    /// An argument is out of its range or contradicts another; nothing was sent.
    public static let invalidArgument = AMQPError.Code(.invalidArgument)

    /// A property of the message is too long or its headers are not valid; nothing was sent.
    public static let invalidMessage = AMQPError.Code(.invalidMessage)

    /// Text or a value could not be encoded: unknown encoding, no such character in it, not possible in JSON.
    public static let encodingFailed = AMQPError.Code(.encodingFailed)

    /// A body could not be decoded: unknown encoding, wrong bytes, not JSON, not the expected type.
    public static let decodingFailed = AMQPError.Code(.decodingFailed)

    /// The delivery was acknowledged or rejected before; nothing was sent.
    public static let alreadySettled = AMQPError.Code(.alreadySettled)

    /// The delivery's channel is gone for good, and the broker delivers it again; nothing was sent. Where the channel is
    /// opened anew, settling what was delivered before does nothing and throws nothing: see ``IncomingMessage/isStale``.
    public static let staleDelivery = AMQPError.Code(.staleDelivery)

    /// The peer sent what AMQP forbids.
    public static let protocolViolation = AMQPError.Code(.protocolViolation)

    /// The TLS handshake failed; the message says at which step.
    public static let tlsFailed = AMQPError.Code(.tlsFailed)

    /// The address is not a valid AMQP URI.
    public static let invalidURI = AMQPError.Code(.invalidURI)

    /// All the channel numbers of the connection are in use; closing a channel frees one.
    public static let tooManyChannels = AMQPError.Code(.tooManyChannels)

    /// The broker cancelled the consumer, for which AMQP gives no reason: its queue was deleted, the queue's node is down,
    /// or, with a quorum queue from RabbitMQ 4.3 on, a delivery stayed unsettled for longer than the consumer timeout.
    /// Consuming again tells.
    public static let consumerCancelled = AMQPError.Code(.consumerCancelled)

    /// The broker or this build of the library cannot do this.
    public static let unsupported = AMQPError.Code(.unsupported)

    /// The broker has exchanges or queues otherwise than a ``Topology`` describes them; nothing was changed.
    public static let topologyConflict = AMQPError.Code(.topologyConflict)
}

extension AMQPError.Code: CustomStringConvertible {
    /// The name of the code in Swift, such as `notFound`.
    public var description: String {
        String(describing: kind)
    }
}

extension AMQPError.Code {
    /// Lets `catch AMQPError.Code.notFound` match an ``AMQPError`` with that code.
    public static func ~= (code: AMQPError.Code, error: any Error) -> Bool {
        (error as? AMQPError)?.code == code
    }
}

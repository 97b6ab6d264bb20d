/// An error of this library: what happened, what the peer said about it, and what it means for channel and connection.
///
/// Every throwing call of this library throws an `AMQPError`, or Swift's `CancellationError` when the task was
/// cancelled; a call of an ``RPCClient`` throws the ``RPCFailure`` too with which a server answers. ``code`` tells the
/// kinds apart:
///
/// ```swift
/// do {
///     try await exchange.publish(Message("x"), routingKey: "orders")
/// } catch AMQPError.Code.connectionLost {
///     // try again on a new connection
/// } catch let error as AMQPError where error.isRetryable {
///     // try again later
/// }
/// ```
public struct AMQPError: Error, Sendable {
    /// What kind of error it is.
    public let code: Code

    /// What happened, in words on one line; never a password, token or key.
    ///
    /// Control characters in what it quotes are escaped, and what is very long is cut.
    public let message: String

    /// The code that the peer gave; nil if the error did not come from the peer.
    public let replyCode: ReplyCode?

    /// The text that the peer gave with its code, as it came, which can hold line feeds and control characters; nil if the
    /// error did not come from the peer.
    public let replyText: String?

    /// The method that, as the peer says, caused the error; nil if it named none.
    public let method: MethodID?

    /// The error that caused this one: of the operating system, of TLS, of a decoder.
    public let underlying: (any Error)?

    /// The peer closed the whole connection with this error, whatever its code.
    private let closedConnection: Bool

    /// The peer closed the channel with this error over another call than the one that throws it.
    private(set) var isOverAnotherCall = false

    /// The library has found what the broker would close the channel for, and sent nothing: the channel goes on.
    private var sparesChannel = false

    private var attached: Attached?

    /// Keeps what is rare out of the struct, which every throwing call passes about.
    private final class Attached: Sendable {
        let returned: ReturnedMessage?
        let recording: FlightRecording?

        init(returned: ReturnedMessage?, recording: FlightRecording? = nil) {
            self.returned = returned
            self.recording = recording
        }
    }

    /// How long a message can be, in characters: it may tell of several endpoints, or of all that is wrong with a topology.
    private static let longestMessage = 8_000

    /// Makes an error, as the library does; public so that tests of applications can have one.
    ///
    /// - Parameters:
    ///   - code: What kind of error it is.
    ///   - message: What happened, in words.
    ///   - underlying: The error that caused this one; none by default.
    ///   - replyCode: The code that the peer gave; none by default.
    ///   - replyText: The text that the peer gave; none by default.
    ///   - method: The method that caused the error; none by default.
    ///   - returned: The message that came back; none by default.
    public init(
        _ code: Code,
        _ message: String,
        underlying: (any Error)? = nil,
        replyCode: ReplyCode? = nil,
        replyText: String? = nil,
        method: MethodID? = nil,
        returned: ReturnedMessage? = nil
    ) {
        self.code = code
        self.message = message.printable(Self.longestMessage)
        self.underlying = underlying
        self.replyCode = replyCode
        self.replyText = replyText
        self.method = method
        self.closedConnection = false
        self.attached = returned.map { Attached(returned: $0) }
    }

    /// Makes the error that a `channel.close` or a `connection.close` of the peer stands for.
    ///
    /// - Parameters:
    ///   - replyCode: The reply code on the wire; one that the specification lacks becomes ``Code/unknownReplyCode``.
    ///   - replyText: The reply text on the wire.
    ///   - classID: The class of the method that caused the error, 0 for none.
    ///   - methodID: The number of the method that caused the error, 0 for none.
    ///   - closedConnection: Whether it came in a `connection.close`, and so is fatal to the connection whatever its
    ///     code.
    init(replyCode: UInt16, replyText: String, classID: UInt16, methodID: UInt16, closedConnection: Bool = false) {
        let reply = ReplyCode(rawValue: replyCode)
        self.code = Code(replyCode: reply)
        self.message = replyText.isEmpty ? "the peer gave \(reply) and no text" : replyText.printable()
        self.replyCode = reply
        self.replyText = replyText
        self.method = classID == 0 && methodID == 0 ? nil : MethodID(classID: classID, methodID: methodID)
        self.underlying = nil
        self.closedConnection = closedConnection
        self.attached = nil
    }

    /// Makes the error for a mandatory message that came back.
    init(returned: ReturnedMessage) {
        self.init(
            .undeliverable,
            returned.replyText.isEmpty ? "the message reached no queue" : returned.replyText.printable(),
            replyCode: returned.replyCode,
            replyText: returned.replyText,
            method: MethodID(classID: 60, methodID: 40),
            returned: returned
        )
    }
}

extension AMQPError {
    /// The message that the broker returned; nil unless ``code`` is ``Code/undeliverable``.
    public var returned: ReturnedMessage? {
        attached?.returned
    }

    /// The last frames of the connection before it ended with this error; nil if they were not recorded
    /// (``ConnectionConfiguration/recordedFrames``), and for every other error.
    public var recording: FlightRecording? { attached?.recording }

    /// The same error with the last frames of the connection that ended with it.
    func with(_ recording: FlightRecording) -> AMQPError {
        var error = self
        error.attached = Attached(returned: returned, recording: recording)
        return error
    }

    /// The same error, for a call that the broker did not mean: it has not run, and may succeed on another channel.
    var overAnotherCall: AMQPError {
        guard replyCode != nil, !isConnectionFatal else { return self }
        var error = self
        error.isOverAnotherCall = true
        return error
    }

    /// The same error, which the library has found before the broker could: the channel goes on.
    var sparingChannel: AMQPError {
        var error = self
        error.sparesChannel = true
        return error
    }

    /// Whether the connection is unusable after this error: nothing more can be sent or will arrive on it.
    public var isConnectionFatal: Bool {
        closedConnection || code.isConnectionFatal
    }

    /// Whether the channel is unusable after this error; always true if the connection is.
    public var isChannelFatal: Bool {
        closedConnection || code.isChannelFatal && !sparesChannel
    }
}

/// An error with which a server answered a call.
///
/// On the wire it is a reply whose header `rpc-error` holds the code and whose body is the text, so that servers in other
/// languages can give it too.
public struct RPCFailure: Error, Hashable, Sendable {
    /// What kind of error it is; servers may have their own.
    public struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
        /// The word on the wire.
        public let rawValue: String

        /// Makes a code from its word on the wire.
        ///
        /// - Parameter rawValue: The word.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Makes a code from its word on the wire.
        ///
        /// - Parameter value: The word.
        public init(stringLiteral value: String) { rawValue = value }

        /// The server's handler threw an error: `failed`.
        public static let failed = Code(rawValue: "failed")

        /// The server could not decode the request: `invalid-request`.
        public static let invalidRequest = Code(rawValue: "invalid-request")

        /// The server could not send the reply, because it is too large for example: `invalid-reply`.
        public static let invalidReply = Code(rawValue: "invalid-reply")

        /// The word on the wire.
        public var description: String { rawValue }
    }

    /// What kind of error it is.
    public let code: Code

    /// What happened, in the server's words.
    public let message: String

    /// Makes an error. A server's handler throws one to say what the client gets.
    ///
    /// - Parameters:
    ///   - code: What kind of error it is.
    ///   - message: What happened, in words.
    public init(_ code: Code = .failed, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Describes an error that a handler threw: an `RPCFailure` as it is, any other as ``Code/failed`` with its
    /// description.
    ///
    /// - Parameter error: The error.
    public init(describing error: any Error) {
        self = error as? RPCFailure ?? RPCFailure(.failed, String(describing: error))
    }
}

extension RPCFailure: CustomStringConvertible {
    /// The code and the message on one line, both cut if they are very long.
    public var description: String { "\(code.rawValue.printable()): \(message.printable())" }
}

extension RPCFailure {
    private static let header = "rpc-error"
    /// The longest text that is sent, in characters.
    private static let maxLength = 4096

    /// The error that a reply stands for; nil if it is none.
    init?(reply: Message) {
        guard let code = reply.header(Self.header)?.stringValue else { return nil }
        self.init(Code(rawValue: code), String(decoding: reply.body, as: UTF8.self))
    }

    /// The reply that stands for the error.
    var reply: Message {
        Message(
            body: Array(message.prefix(Self.maxLength).utf8),
            headers: [Self.header: .string(code.rawValue)],
            contentType: "text/plain",
            contentEncoding: "utf-8"
        )
    }
}

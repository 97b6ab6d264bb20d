/// Why TLS did not come about: at which step, for which reason. The `underlying` error of an ``AMQPError``.
///
/// ```swift
/// do {
///     _ = try await Connection.connect(configuration)
/// } catch let error as AMQPError {
///     if let failure = error.underlying as? TLSFailure { print(failure.reason) }
/// }
/// ```
public struct TLSFailure: Error, Sendable {
    /// The step that failed.
    public let step: Step

    /// For which reason.
    public let reason: Reason

    /// What happened, in words; never a key or a passphrase.
    public let message: String

    /// The name or address that the certificate should have held; nil unless the names are the reason.
    public let wantedName: String?

    /// The names and addresses that the certificate holds instead; nil unless the names are the reason.
    public let offeredNames: [String]?

    init(
        _ step: Step,
        _ reason: Reason,
        _ message: String,
        wantedName: String? = nil,
        offeredNames: [String]? = nil
    ) {
        self.step = step
        self.reason = reason
        self.message = message
        self.wantedName = wantedName
        self.offeredNames = offeredNames
    }

    /// A step on the way to a TLS connection.
    public struct Step: Sendable, Hashable, CustomStringConvertible {
        /// In words.
        public let description: String

        /// Reading the configuration's certificates and keys, before anything is sent.
        public static let configuration = Step(description: "configuration")
        /// Agreeing with the server on version and cipher.
        public static let negotiation = Step(description: "negotiation")
        /// Verifying the server's certificate.
        public static let serverVerification = Step(description: "verification of the server")
        /// The server's verification of the client's certificate.
        public static let clientVerification = Step(description: "verification of the client")
        /// The handshake as a whole, when no finer step can be told.
        public static let handshake = Step(description: "handshake")
    }

    /// A reason for which TLS did not come about. More may come.
    public struct Reason: Sendable, Hashable, CustomStringConvertible {
        /// The name of the reason in Swift.
        public let description: String

        // MARK: Configuration

        /// A file or a directory can't be read.
        public static let unreadableFile = Reason(description: "unreadableFile")
        /// There is no certificate in what should hold one, or a broken one.
        public static let badCertificate = Reason(description: "badCertificate")
        /// There is no private key in what should hold one, or a broken one.
        public static let badKey = Reason(description: "badKey")
        /// The private key is encrypted, and no passphrase is given.
        public static let passphraseMissing = Reason(description: "passphraseMissing")
        /// The passphrase does not open the private key.
        public static let wrongPassphrase = Reason(description: "wrongPassphrase")
        /// The private key is not the certificate's.
        public static let keyMismatch = Reason(description: "keyMismatch")
        /// The installed OpenSSL or its settings don't allow what is asked for.
        public static let unsupported = Reason(description: "unsupported")

        // MARK: The server's certificate

        /// It comes from an authority that is not trusted.
        public static let untrustedIssuer = Reason(description: "untrustedIssuer")
        /// It is signed by itself, and not trusted.
        public static let selfSigned = Reason(description: "selfSigned")
        /// It, or one above it, has ended.
        public static let expired = Reason(description: "expired")
        /// It, or one above it, has not begun yet.
        public static let notYetValid = Reason(description: "notYetValid")
        /// It is for another name or address.
        public static let nameMismatch = Reason(description: "nameMismatch")
        /// It is not good for another reason, such as its purpose or its signature.
        public static let invalidCertificate = Reason(description: "invalidCertificate")

        // MARK: The handshake

        /// The server takes none of the allowed versions of TLS.
        public static let noCommonVersion = Reason(description: "noCommonVersion")
        /// The server takes none of the ciphers.
        public static let noCommonCipher = Reason(description: "noCommonCipher")
        /// The server does not know the name that it was asked for.
        public static let unknownServerName = Reason(description: "unknownServerName")
        /// The server wants a certificate of the client, and none was given.
        public static let clientCertificateRequired = Reason(description: "clientCertificateRequired")
        /// The server does not accept the client's certificate.
        public static let clientCertificateRefused = Reason(description: "clientCertificateRefused")
        /// What answered does not speak TLS.
        public static let notTLS = Reason(description: "notTLS")
        /// The peer closed the connection during the handshake.
        public static let closedByPeer = Reason(description: "closedByPeer")
        /// The handshake took too long.
        public static let timedOut = Reason(description: "timedOut")
        /// Another one; the message says what OpenSSL says.
        public static let other = Reason(description: "other")
    }
}

extension TLSFailure: CustomStringConvertible {
    /// The step and the reason, such as `TLS verification of the server: expired`.
    public var description: String { "TLS \(step): \(reason)" }

    /// The error that the library throws for it.
    ///
    /// - Parameter place: The host and port, if there was a peer.
    func error(at place: String? = nil) -> AMQPError {
        let code: AMQPError.Code =
            switch reason {
            case .timedOut: .timedOut
            case .closedByPeer: .connectionLost
            default: step == .configuration ? .invalidArgument : .tlsFailed
            }
        let where_ = place.map { "TLS with \($0) failed: " } ?? ""
        return AMQPError(code, where_ + message, underlying: self)
    }
}

extension ConnectionConfiguration {
    /// How a connection proves who it is. Its description never shows a secret.
    ///
    /// RabbitMQ: [Access control](https://www.rabbitmq.com/docs/access-control#mechanisms).
    public struct Credentials: Sendable {
        enum Kind: Sendable {
            case plain(username: Secret, password: Secret)
            case external
            case expiring(@Sendable () async throws -> ExpiringSecret)
        }

        let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// Whether they are asked for at each connect, and may be others then.
        var isProvided: Bool { if case .expiring = kind { true } else { false } }

        /// A user name and a password, sent with the SASL mechanism PLAIN.
        ///
        /// Neither may hold a NUL character, which separates them on the wire: connecting refuses that with
        /// ``AMQPError/Code/invalidArgument``.
        public static func plain(username: String, password: String) -> ConnectionConfiguration.Credentials {
            ConnectionConfiguration.Credentials(.plain(username: Secret(username), password: Secret(password)))
        }

        /// Who the client is stands in its TLS certificate: the SASL mechanism EXTERNAL.
        ///
        /// It takes ``ConnectionConfiguration/TLS/identity`` and RabbitMQ's plugin `rabbitmq_auth_mechanism_ssl`.
        public static let external = ConnectionConfiguration.Credentials(.external)

        /// Credentials that end, such as OAuth 2 tokens.
        ///
        /// ```swift
        /// let credentials = ConnectionConfiguration.Credentials.expiring {
        ///     let token = try await identityProvider.token()
        ///     return ExpiringSecret(token.text, validFor: .seconds(token.expiresIn))
        /// }
        /// ```
        ///
        /// The closure is called at each connect, and again before the secret ends, when four fifths of its time are over: the
        /// new secret is then told to the broker (`connection.update-secret`). If that fails it is logged and tried again.
        /// For large tokens see ``ConnectionConfiguration/frameMax``.
        /// The name and the secret are sent with the SASL mechanism PLAIN.
        ///
        /// - Parameter provider: Gets a secret. It may take as long as connecting may. What it throws is logged, and so must not
        ///   hold a secret.
        public static func expiring(_ provider: @escaping @Sendable () async throws -> ExpiringSecret)
            -> ConnectionConfiguration.Credentials
        {
            ConnectionConfiguration.Credentials(.expiring(provider))
        }

        /// The name of the SASL mechanism.
        var mechanism: String {
            switch kind {
            case .plain, .expiring: "PLAIN"
            case .external: "EXTERNAL"
            }
        }

        func validate() throws(AMQPError) {
            guard case .plain(let username, let password) = kind else { return }
            _ = try Login.plain(username, password)
        }
    }
}

/// A secret that is good for some time. Its description never shows it.
public struct ExpiringSecret: Sendable {
    let username: Secret
    let secret: Secret

    /// How long it is good for from now on; nil if it does not end.
    public let validFor: Duration?

    /// Makes a secret that ends.
    ///
    /// - Parameters:
    ///   - secret: The token or password.
    ///   - username: The user name. RabbitMQ's OAuth 2 plugin finds it in the token and ignores this one.
    ///   - validFor: How long the secret is good for from now on; nil if it does not end.
    public init(_ secret: String, username: String = "", validFor: Duration?) {
        self.secret = Secret(secret)
        self.username = Secret(username)
        self.validFor = validFor
    }
}

extension ConnectionConfiguration.Credentials: CustomStringConvertible {
    /// The mechanism, and nothing secret.
    public var description: String { "Credentials(\(mechanism))" }
}

extension ExpiringSecret: CustomStringConvertible {
    /// How long it is good for, and nothing secret.
    public var description: String { "ExpiringSecret(validFor: \(validFor.map(String.init(describing:)) ?? "ever"))" }
}

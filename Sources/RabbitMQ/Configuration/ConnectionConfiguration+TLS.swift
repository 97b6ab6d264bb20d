extension ConnectionConfiguration {
    /// How a connection is encrypted, whom it trusts, and who it says it is.
    ///
    /// The defaults verify everything: the server's certificate must come from an authority that the system trusts, be
    /// valid today, and name the host that is dialled.
    ///
    /// ```swift
    /// var tls = ConnectionConfiguration.TLS(trustRoots: [.file("/etc/rabbitmq/ca.pem")])
    /// tls.identity = .init(certificate: .file("client.pem"), key: .file("client.key"))
    /// let connection = try await Connection.connect(ConnectionConfiguration(host: "rabbit.internal", tls: tls))
    /// ```
    ///
    /// What fails is an ``AMQPError`` whose `underlying` is a ``TLSFailure``.
    /// RabbitMQ: [TLS support](https://www.rabbitmq.com/docs/ssl).
    public struct TLS: Sendable {
        /// Whose signature makes a server's certificate good; the system's authorities by default. All of the list count.
        public var trustRoots: [TrustRoots]

        /// The client's own certificate; none by default.
        public var identity: ClientIdentity?

        /// What is verified about the server; everything by default.
        public var verification: Verification = .full

        /// How many certificates of authorities in between may stand between the server's and a trusted one, from 0 to 255;
        /// as many as OpenSSL takes by default, which is 100.
        public var verificationDepth: Int?

        static let depths = 0...255

        /// The name or IP address that the server's certificate must hold, if it is not the host that is dialled.
        ///
        /// A name is also told to the server in the handshake (SNI, RFC 6066); an IP address never is.
        public var serverName: String?

        /// The lowest version of TLS to accept; 1.2 by default.
        public var minimumVersion: Version = .tls12

        /// The highest version of TLS to offer; by default the highest that the installed OpenSSL has.
        public var maximumVersion: Version?

        /// Makes a configuration that verifies everything.
        ///
        /// - Parameters:
        ///   - trustRoots: Whose signature makes a server's certificate good.
        ///   - identity: The client's own certificate.
        ///   - serverName: The name that the server's certificate must hold, if it is not the host that is dialled.
        public init(
            trustRoots: [TrustRoots] = [.system],
            identity: ClientIdentity? = nil,
            serverName: String? = nil
        ) {
            self.trustRoots = trustRoots
            self.identity = identity
            self.serverName = serverName
        }

        /// A version of TLS.
        public struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
            /// The minor number on the wire: TLS 1.2 is 3.
            let minor: Int

            /// TLS 1.2, RFC 5246.
            public static let tls12 = Version(minor: 3)
            /// TLS 1.3, RFC 8446.
            public static let tls13 = Version(minor: 4)

            /// Whether the left version is the older one.
            public static func < (left: Version, right: Version) -> Bool { left.minor < right.minor }

            /// For example `TLS 1.2`.
            public var description: String { "TLS 1.\(minor - 1)" }
        }

        /// What is verified about a server.
        public struct Verification: Sendable, Hashable, CustomStringConvertible {
            private enum Value { case full, chainOnly, none }

            private let value: Value

            /// The chain of signatures up to a trusted authority, the dates, and the name.
            public static let full = Verification(value: .full)
            /// The chain and the dates, but any name: any server with a certificate of a trusted authority will do.
            public static let withoutName = Verification(value: .chainOnly)
            /// Nothing. Whoever sits between can read and change everything, passwords too: never outside of experiments.
            public static let none = Verification(value: .none)

            /// In words.
            public var description: String {
                switch value {
                case .full: "chain and name"
                case .chainOnly: "chain, any name"
                case .none: "none"
                }
            }
        }

        /// Refuses what can't work, before anything is sent.
        func validate() throws(AMQPError) {
            if verification != .none, trustRoots.isEmpty {
                throw AMQPError(.invalidArgument, "no trust roots are given, so no certificate could be verified")
            }
            if let maximumVersion, maximumVersion < minimumVersion {
                throw AMQPError(.invalidArgument, "the highest TLS version is below the lowest, \(minimumVersion)")
            }
            if let verificationDepth, !Self.depths.contains(verificationDepth) {
                throw AMQPError(.invalidArgument, "the verification depth \(verificationDepth) is not from 0 to 255")
            }
            if let serverName {
                // OpenSSL would take a name that begins with a dot for any name below it.
                guard !serverName.isEmpty, !serverName.hasPrefix("."), serverName.utf8.count <= 255,
                    !serverName.utf8.contains(0)
                else { throw AMQPError(.invalidArgument, "the server name to verify is no host name") }
            }
            try identity?.validate()
        }
    }
}

extension ConnectionConfiguration.TLS {
    /// Certificates or a key in the PEM format (RFC 7468): where they are, or what they are.
    ///
    /// Its description never shows the content.
    public struct PEM: Sendable, CustomStringConvertible {
        enum Source: Sendable {
            case file(String)
            case bytes(SecretBytes)
        }

        let source: Source

        /// A file, read anew whenever a connection is made, so that a renewed one is taken up.
        public static func file(_ path: String) -> PEM { PEM(source: .file(path)) }

        /// The content of such a file.
        public static func bytes(_ bytes: [UInt8]) -> PEM { PEM(source: .bytes(SecretBytes(bytes))) }

        /// The content of such a file, as text.
        public static func text(_ text: String) -> PEM { .bytes(Array(text.utf8)) }

        /// The path, or how many bytes there are.
        public var description: String {
            switch source {
            case .file(let path): "PEM(file: \(path))"
            case .bytes(let content): "PEM(\(content.bytes.count) bytes)"
            }
        }
    }

    /// Authorities, or single certificates, that are trusted.
    public struct TrustRoots: Sendable, CustomStringConvertible {
        enum Source: Sendable {
            case system
            case certificates(PEM)
            case directory(String)
        }

        let source: Source

        /// What the system trusts: OpenSSL's default file and directory, which the environment variables `SSL_CERT_FILE`
        /// and `SSL_CERT_DIR` replace, or else the bundle of the distribution.
        public static let system = TrustRoots(source: .system)

        /// The certificates in a PEM file.
        public static func file(_ path: String) -> TrustRoots { TrustRoots(source: .certificates(.file(path))) }

        /// The certificates in the content of a PEM file.
        public static func bytes(_ bytes: [UInt8]) -> TrustRoots { TrustRoots(source: .certificates(.bytes(bytes))) }

        /// A directory of certificates whose names are those that the command `openssl rehash` makes.
        public static func directory(_ path: String) -> TrustRoots { TrustRoots(source: .directory(path)) }

        /// Where they come from.
        public var description: String {
            switch source {
            case .system: "the system's"
            case .certificates(let pem): pem.description
            case .directory(let path): "the directory \(path)"
            }
        }
    }

    /// The client's certificate and its private key. Its description never shows the key or the passphrase.
    ///
    /// With ``ConnectionConfiguration/Credentials/external`` it also says who connects.
    public struct ClientIdentity: Sendable, CustomStringConvertible {
        /// The certificate, followed by those between it and the authority, if there are any.
        public var certificate: PEM

        /// The private key of the certificate.
        public var key: PEM

        let passphrase: Secret?

        /// Makes an identity.
        ///
        /// - Parameters:
        ///   - certificate: The certificate, followed by those between it and the authority, if there are any.
        ///   - key: The private key; by default it stands beside the certificate.
        ///   - passphrase: What the key is encrypted with, at most 1024 bytes; none by default.
        public init(certificate: PEM, key: PEM? = nil, passphrase: String? = nil) {
            self.certificate = certificate
            self.key = key ?? certificate
            self.passphrase = passphrase.map(Secret.init)
        }

        func validate() throws(AMQPError) {
            if let passphrase, passphrase.value.utf8.count > 1024 {
                throw AMQPError(.invalidArgument, "the passphrase of the key is longer than 1024 bytes")
            }
        }

        /// Where the certificate and the key come from.
        public var description: String { "ClientIdentity(certificate: \(certificate), key: \(key))" }
    }
}

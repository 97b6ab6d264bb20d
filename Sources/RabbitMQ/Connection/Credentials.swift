/// How a connection proves who it is. Its description never shows a secret.
///
/// RabbitMQ: [Access control](https://www.rabbitmq.com/docs/access-control#mechanisms).
public struct Credentials: Sendable {
    enum Kind: Sendable {
        case plain(username: Secret, password: Secret)
        case external
    }

    let kind: Kind

    private init(_ kind: Kind) { self.kind = kind }

    /// A user name and a password, sent with the SASL mechanism PLAIN.
    ///
    /// Neither may hold a NUL character, which separates them on the wire: connecting refuses that with
    /// ``AMQPError/Code/invalidArgument``.
    public static func plain(username: String, password: String) -> Credentials {
        Credentials(.plain(username: Secret(username), password: Secret(password)))
    }

    /// Who the client is stands in its TLS certificate: the SASL mechanism EXTERNAL.
    public static let external = Credentials(.external)

    /// The name of the SASL mechanism.
    var mechanism: String {
        switch kind {
        case .plain: "PLAIN"
        case .external: "EXTERNAL"
        }
    }

    /// What the mechanism sends.
    func response() throws(AMQPError) -> [UInt8] {
        switch kind {
        case .plain(let username, let password):
            for part in [username, password] where part.value.utf8.contains(0) {
                throw AMQPError(.invalidArgument, "user name and password can't hold a NUL character")
            }
            return [0] + Array(username.value.utf8) + [0] + Array(password.value.utf8)
        case .external: return []
        }
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The mechanism, and nothing secret.
    public var description: String { "Credentials(\(mechanism))" }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// Empty: dumping credentials shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A text that must not be seen.
struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let value: String

    init(_ value: String) { self.value = value }

    var description: String { "<redacted>" }
    var debugDescription: String { "<redacted>" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

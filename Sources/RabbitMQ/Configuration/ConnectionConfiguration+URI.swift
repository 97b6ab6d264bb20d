extension ConnectionConfiguration {
    /// Reads an AMQP URI.
    ///
    /// ```swift
    /// let configuration = try ConnectionConfiguration(uri: "amqps://me:secret@rabbit.internal/orders?heartbeat=10")
    /// ```
    ///
    /// What the URI leaves out has its default: the user `guest` with the password `guest`, the host `localhost`, the port
    /// 5672 or with `amqps` 5671, the virtual host `/`. A path of `/` alone is the virtual host whose name is empty, as the
    /// specification says; the one named `/` is written `%2f`.
    ///
    /// These options may follow a `?`; others are refused, and so are those for TLS without `amqps`:
    ///
    /// | Option | Meaning |
    /// |---|---|
    /// | `heartbeat` | ``heartbeat`` in seconds |
    /// | `connection_timeout` | ``connectTimeout`` in milliseconds |
    /// | `channel_max`, `frame_max` | ``channelMax``, ``frameMax`` |
    /// | `connection_name` or `name` | ``connectionName`` |
    /// | `auth_mechanism` | `PLAIN`, or `EXTERNAL` for ``ConnectionConfiguration/Credentials/external``; of several, the first of these counts |
    /// | `cacertfile` | the path of the trusted authorities, in place of the system's |
    /// | `certfile`, `keyfile` | the paths of the client's certificate and key; the key may stand in `certfile` |
    /// | `password` | the passphrase of the key |
    /// | `verify` | `verify_peer`, the default, or `verify_none` for no verification at all |
    /// | `depth` | ``ConnectionConfiguration/TLS/verificationDepth`` |
    /// | `server_name_indication` | ``ConnectionConfiguration/TLS/serverName`` |
    /// | `fail_if_no_peer_cert` | `true` or `false`, which means nothing on the client's side |
    ///
    /// RabbitMQ: [URI specification](https://www.rabbitmq.com/docs/uri-spec),
    /// [query parameters](https://www.rabbitmq.com/docs/uri-query-parameters).
    ///
    /// - Parameter uri: The URI, percent-encoded.
    /// - Throws: ``AMQPError/Code/invalidURI``; the message says what is bad at which character, and what to write
    ///   instead; it never shows the password.
    public init(uri: String) throws(AMQPError) {
        let parts = try URIReader(uri)
        self.init(
            host: parts.host ?? "localhost",
            port: parts.port,
            credentials: .plain(username: parts.username ?? "guest", password: parts.password ?? "guest"),
            virtualHost: parts.virtualHost ?? "/",
            tls: parts.usesTLS ? ConnectionConfiguration.TLS() : nil
        )
        var identity = URIIdentity()
        for option in parts.options {
            guard Self.optionNames.contains(option.name) else {
                throw URIReader.invalid(
                    "\(parts.nameToShow(option.name, at: option.offset)) is not known; known are "
                        + "\(Self.optionNames.joined(separator: ", "))\(parts.cure(at: option.offset))",
                    at: option.offset
                )
            }
            try set(option, &identity)
        }
        try setMechanism(parts.options.filter { $0.name == "auth_mechanism" })
        try identity.apply(to: &tls)
    }

    private static let optionNames = [
        "heartbeat", "connection_timeout", "channel_max", "frame_max", "connection_name", "name", "auth_mechanism",
        "cacertfile", "certfile", "keyfile", "password", "verify", "depth", "server_name_indication",
        "fail_if_no_peer_cert",
    ]

    private mutating func set(_ option: URIReader.Option, _ identity: inout URIIdentity) throws(AMQPError) {
        switch option.name {
        case "heartbeat": heartbeat = .seconds(try option.number(in: 0...65535))
        case "connection_timeout": connectTimeout = .milliseconds(try option.number(in: 1...86_400_000))
        case "channel_max": channelMax = UInt16(try option.number(in: 0...65535))
        case "frame_max": frameMax = UInt32(try option.number(in: 4096...131_072))
        case "connection_name", "name": connectionName = option.value
        case "auth_mechanism": break
        default:
            guard tls != nil else { throw option.invalid("is for TLS: the URI must begin with amqps://") }
            try setTLS(option, &identity)
        }
    }

    /// Takes the first mechanism that this library has, of those that RabbitMQ has.
    private mutating func setMechanism(_ options: [URIReader.Option]) throws(AMQPError) {
        var isExternal: Bool?
        for option in options {
            switch option.value.lowercased() {
            case "plain": isExternal = isExternal ?? false
            case "external": isExternal = isExternal ?? true
            case "amqplain" where options.count > 1: break
            default: throw option.invalid("is neither PLAIN nor EXTERNAL")
            }
        }
        if isExternal == true { credentials = .external }
    }

    private mutating func setTLS(_ option: URIReader.Option, _ identity: inout URIIdentity) throws(AMQPError) {
        switch option.name {
        case "cacertfile": tls?.trustRoots = [.file(try option.text())]
        case "certfile": identity.certificate = (try option.text(), option)
        case "keyfile": identity.key = (try option.text(), option)
        case "password": identity.passphrase = (option.value, option)
        case "verify":
            switch option.value {
            case "verify_peer": tls?.verification = .full
            case "verify_none": tls?.verification = .none
            default: throw option.invalid("is neither verify_peer nor verify_none")
            }
        case "depth": tls?.verificationDepth = try option.number(in: ConnectionConfiguration.TLS.depths)
        case "server_name_indication":
            // To RabbitMQ's Erlang client this is no name, but an order not to verify one.
            guard option.value != "disable" else {
                throw option.invalid("needs a name; verify=verify_none stands alone")
            }
            tls?.serverName = try option.text()
        default:
            guard option.value == "true" || option.value == "false" else {
                throw option.invalid("is neither true nor false")
            }
        }
    }
}

/// The options that together make a client's certificate.
private struct URIIdentity {
    var certificate: (path: String, option: URIReader.Option)?
    var key: (path: String, option: URIReader.Option)?
    var passphrase: (text: String, option: URIReader.Option)?

    func apply(to tls: inout ConnectionConfiguration.TLS?) throws(AMQPError) {
        guard let certificate else {
            if let option = key?.option ?? passphrase?.option { throw option.invalid("needs the option certfile") }
            return
        }
        tls?.identity = ConnectionConfiguration.TLS.ClientIdentity(
            certificate: .file(certificate.path),
            key: key.map { .file($0.path) },
            passphrase: passphrase?.text
        )
    }
}

extension URIReader.Option {
    /// Its name is one that is known by now, and so no piece of a password.
    func invalid(_ what: String) -> AMQPError { URIReader.invalid("the option \(name) \(what)", at: offset) }

    func text() throws(AMQPError) -> String {
        guard !value.isEmpty else { throw invalid("is empty") }
        return value
    }

    func number(in range: ClosedRange<Int>) throws(AMQPError) -> Int {
        // Int takes a sign, too.
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value), range.contains(number)
        else {
            let hint = value.utf8.contains(UInt8(ascii: "?")) ? "; options are separated by '&'" : ""
            throw invalid("is not a number from \(range.lowerBound) to \(range.upperBound)\(hint)")
        }
        return number
    }
}

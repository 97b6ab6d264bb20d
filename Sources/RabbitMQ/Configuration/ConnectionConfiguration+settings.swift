extension ConnectionConfiguration {
    /// Reads a configuration from environment variables. What is not set, or empty, has its default.
    ///
    /// ```swift
    /// let configuration = try ConnectionConfiguration(environment: ProcessInfo.processInfo.environment)
    /// ```
    ///
    /// `RABBITMQ_URI` is read first, as ``init(uri:)`` does; the others win over it. <doc:Configuration> lists them:
    /// `RABBITMQ_TLS_CA_FILE`, `RABBITMQ_CALL_TIMEOUT` and so on, one for each field.
    ///
    /// - Parameter environment: The variables by their names.
    /// - Throws: ``AMQPError/Code/invalidURI`` and ``AMQPError/Code/invalidArgument``: the message names the variable, and
    ///   never shows its value if that may be a secret.
    public init(environment: [String: String]) throws(AMQPError) {
        try self.init(settings: EnvironmentSettings(environment: environment))
    }

    init(settings: some SettingSource) throws(AMQPError) {
        if let uri = try settings.text("uri", isSecret: true) {
            self = try settings.naming("uri") { () throws(AMQPError) in try ConnectionConfiguration(uri: uri) }
        } else {
            self.init()
        }
        try readLogin(settings)
        if let texts = try settings.list("endpoints") {
            endpoints = try settings.naming("endpoints") { () throws(AMQPError) in
                var endpoints: [Endpoint] = []
                for text in texts { endpoints.append(try Endpoint(text: text)) }
                return endpoints
            }
        }
        endpointOrder =
            try settings.choice("endpointOrder", ["listed": .listed, "shuffled": .shuffled]) ?? endpointOrder
        virtualHost = try settings.text("virtualHost") ?? virtualHost
        connectionName = try settings.text("connectionName") ?? connectionName
        try readTimes(settings)
        try readLimits(settings)
        recordedFrames = try settings.integer("recordedFrames", in: 0...100_000) ?? recordedFrames
        try recovery.read(settings)
        try readTLS(settings)
    }

    private mutating func readLogin(_ settings: some SettingSource) throws(AMQPError) {
        let username = try settings.text("username")
        let password = try settings.text("password", isSecret: true)
        if username != nil || password != nil {
            let (old, secret) =
                if case .plain(let username, let password) = credentials.kind {
                    (username.value, password.value)
                } else {
                    ("guest", "guest")
                }
            credentials = .plain(username: username ?? old, password: password ?? secret)
        }
        if let other = try settings.choice("mechanism", ["plain": nil, "external": Credentials.external]) {
            if let other {
                credentials = other
            } else if case .external = credentials.kind {
                // The URI's: this wins over it, with the user that there is by default.
                credentials = .plain(username: "guest", password: "guest")
            }
        }
    }

    private mutating func readTimes(_ settings: some SettingSource) throws(AMQPError) {
        connectTimeout = try settings.seconds("connectTimeout") ?? connectTimeout
        callTimeout = try settings.seconds("callTimeout") ?? callTimeout
        closeTimeout = try settings.seconds("closeTimeout") ?? closeTimeout
        publishTimeout = try settings.seconds("publishTimeout") ?? publishTimeout
        shutdownTimeout = try settings.seconds("shutdownTimeout") ?? shutdownTimeout
        consumerTimeout = try settings.seconds("consumerTimeout") ?? consumerTimeout
        heartbeat = try settings.seconds("heartbeat") ?? heartbeat
    }

    private mutating func readLimits(_ settings: some SettingSource) throws(AMQPError) {
        channelMax = try settings.integer("channelMax", in: 0...UInt16.max) ?? channelMax
        frameMax = try settings.integer("frameMax", in: 4096...131_072) ?? frameMax
        maxMessageSize = try settings.integer("maxMessageSize", in: 0...Int.max) ?? maxMessageSize
        outboundHighWater = try settings.integer("outboundHighWater", in: 1...Int.max) ?? outboundHighWater
        inboundHighWater = try settings.integer("inboundHighWater", in: 1...Int.max) ?? inboundHighWater
    }

    private mutating func readTLS(_ settings: some SettingSource) throws(AMQPError) {
        let settings = TLSSettings(source: settings)
        if let isEnabled = try settings.source.flag("tls.enabled") { tls = isEnabled ? tls ?? TLS() : nil }
        guard tls != nil else {
            if let key = try settings.firstSet() {
                throw settings.source.invalid(key, "is for TLS, which neither the URI nor tls.enabled asks for")
            }
            return
        }
        try settings.apply(to: &tls)
    }
}

/// What is read about TLS, of which something makes no sense without.
private struct TLSSettings<Source: SettingSource> {
    let source: Source

    private static var keys: [String] {
        [
            "tls.caFile", "tls.caDirectory", "tls.certificateFile", "tls.keyFile", "tls.keyPassphrase",
            "tls.serverName", "tls.verification",
            "tls.verificationDepth", "tls.minimumVersion", "tls.maximumVersion",
        ]
    }

    /// The first key that is set; any of them is text too.
    func firstSet() throws(AMQPError) -> String? {
        for key in Self.keys where try source.text(key, isSecret: key == "tls.keyPassphrase") != nil { return key }
        return nil
    }

    func apply(to configuration: inout ConnectionConfiguration.TLS?) throws(AMQPError) {
        var tls = configuration ?? ConnectionConfiguration.TLS()
        var roots: [ConnectionConfiguration.TLS.TrustRoots] = []
        if let file = try source.text("tls.caFile") { roots.append(.file(file)) }
        if let directory = try source.text("tls.caDirectory") { roots.append(.directory(directory)) }
        if !roots.isEmpty { tls.trustRoots = roots }
        let key = try source.text("tls.keyFile")
        let passphrase = try source.text("tls.keyPassphrase", isSecret: true)
        if let certificate = try source.text("tls.certificateFile") {
            tls.identity = ConnectionConfiguration.TLS.ClientIdentity(
                certificate: .file(certificate),
                key: key.map { .file($0) },
                passphrase: passphrase
            )
        } else if key != nil || passphrase != nil {
            guard let identity = tls.identity else {
                throw source.invalid(key == nil ? "tls.keyPassphrase" : "tls.keyFile", "needs tls.certificateFile")
            }
            tls.identity = ConnectionConfiguration.TLS.ClientIdentity(
                certificate: identity.certificate,
                key: key.map { .file($0) } ?? identity.key,
                passphrase: passphrase ?? identity.passphrase?.value
            )
        }
        tls.serverName = try source.text("tls.serverName") ?? tls.serverName
        tls.verification =
            try source.choice("tls.verification", ["full": .full, "withoutName": .withoutName, "none": .none])
            ?? tls.verification
        tls.verificationDepth =
            try source.integer("tls.verificationDepth", in: ConnectionConfiguration.TLS.depths)
            ?? tls.verificationDepth
        tls.minimumVersion =
            try source.choice("tls.minimumVersion", ["1.2": .tls12, "1.3": .tls13]) ?? tls.minimumVersion
        tls.maximumVersion =
            try source.choice("tls.maximumVersion", ["1.2": .tls12, "1.3": .tls13]) ?? tls.maximumVersion
        configuration = tls
    }
}

extension RecoveryPolicy {
    fileprivate mutating func read(_ settings: some SettingSource) throws(AMQPError) {
        isEnabled = try settings.flag("recovery.enabled") ?? isEnabled
        retriesFirstConnect = try settings.flag("recovery.retriesFirstConnect") ?? retriesFirstConnect
        maxAttempts = try settings.integer("recovery.maxAttempts", in: 1...Int.max) ?? maxAttempts
        maxDuration = try settings.seconds("recovery.maxDuration") ?? maxDuration
        firstDelay = try settings.seconds("recovery.firstDelay") ?? firstDelay
        backOff = try settings.seconds("recovery.backOff") ?? backOff
        maxDelay = try settings.seconds("recovery.maxDelay") ?? maxDelay
        whileDown = try settings.choice("recovery.whileDown", ["wait": .wait, "fail": .fail]) ?? whileDown
        unconfirmed =
            try settings.choice("recovery.unconfirmed", ["report": .report, "resend": .resend]) ?? unconfirmed
    }
}

extension ConnectionConfiguration.Endpoint {
    /// Reads `host`, `host:port`, `[address]` or `[address]:port`.
    fileprivate init(text: String) throws(AMQPError) {
        // Nothing but a host and a port is left of a URI then.
        guard !text.contains(where: { "/@?#".contains($0) }) else {
            throw AMQPError(.invalidArgument, "an endpoint is a host, or a host and a port as in localhost:5672")
        }
        let reader = try URIReader("amqp://\(text)")
        guard let host = reader.host else { throw AMQPError(.invalidArgument, "an endpoint has no host") }
        self.init(host: host, port: reader.port)
    }
}

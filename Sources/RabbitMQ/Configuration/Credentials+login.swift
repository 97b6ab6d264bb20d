/// What a connection logs in with: made of ``ConnectionConfiguration/Credentials`` anew for each connect.
struct Login: Sendable {
    let mechanism: String
    /// What the mechanism sends. It holds the password.
    let response: SecretBytes
    /// Until when it is good, on the clock of ``MonotonicTime``, and for how long it was when it was given.
    var validity: (end: UInt64, duration: Duration)?

    static let external = Login(mechanism: "EXTERNAL", response: SecretBytes([]))

    static func plain(_ username: Secret, _ password: Secret) throws(AMQPError) -> Login {
        for part in [username, password] where part.value.utf8.contains(0) {
            throw AMQPError(.invalidArgument, "user name and password can't hold a NUL character")
        }
        let response = [0] + Array(username.value.utf8) + [0] + Array(password.value.utf8)
        return Login(mechanism: "PLAIN", response: SecretBytes(response))
    }
}

extension ConnectionConfiguration.Credentials {
    /// Gets what to log in with.
    ///
    /// - Parameter timeout: How long a provider may take.
    func login(within timeout: Duration) async throws -> Login {
        switch kind {
        case .plain(let username, let password): return try Login.plain(username, password)
        case .external: return .external
        case .expiring(let provider):
            let secret = try await Self.ask(provider, within: timeout)
            var login = try Login.plain(secret.username, secret.secret)
            login.validity = secret.validFor.map { (MonotonicTime.now &+ $0.nanoseconds, $0) }
            return login
        }
    }

    /// Asks a provider, which may hang: then it is cancelled, and left behind.
    static func ask(
        _ provider: @escaping @Sendable () async throws -> ExpiringSecret,
        within timeout: Duration
    ) async throws -> ExpiringSecret {
        let answer = OneShot<ExpiringSecret>()
        let task = Task {
            do {
                answer.succeed(try await provider())
            } catch {
                answer.fail(
                    error is CancellationError
                        ? error
                        : AMQPError(
                            .authenticationFailed,
                            "the provider of the credentials gave none",
                            underlying: error
                        )
                )
            }
        }
        defer { task.cancel() }
        return try await withDeadline(after: timeout) {
            answer.fail(AMQPError(.timedOut, "the provider of the credentials took longer than \(timeout)"))
        } _: {
            try await answer.value()
        }
    }
}

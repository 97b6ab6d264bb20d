#if Tool
internal import RabbitMQ

/// Connects by the library, and says which step of it failed.
struct ConnectCheck {
    /// The steps, in their order.
    private enum Step: String, CaseIterable {
        case tls = "TLS"
        case amqp = "AMQP"
        case login
        case virtualHost = "virtual host"
    }

    let configuration: ConnectionConfiguration

    /// - Returns: The connection, or nil if there is none.
    func run(_ examination: inout Examination) async -> Connection? {
        let clock = StepClock()
        var configuration = configuration
        configuration.logger = clock.logger
        let start = ContinuousClock.now
        do {
            let connection = try await Connection.connect(configuration)
            report(nil, clock, from: start, &examination)
            return connection
        } catch let error as AMQPError {
            report(error, clock, from: start, &examination)
        } catch {
            examination.add("AMQP", .failed, "\(error)")
        }
        return nil
    }

    private func report(
        _ error: AMQPError?,
        _ clock: StepClock,
        from start: ContinuousClock.Instant,
        _ examination: inout Examination
    ) {
        let end = ContinuousClock.now
        let failed = error.map { step(of: $0) }
        let encrypting = clock.time(of: "doing the TLS handshake")
        let loggingIn = clock.time(of: "logging in")
        for step in Step.allCases {
            if step == .tls, configuration.tls == nil {
                examination.add(step.rawValue, .skipped, "amqp:// is without TLS")
                continue
            }
            // Login and virtual host are answered together.
            let took: Duration? =
                switch step {
                case .tls: encrypting.map { (loggingIn ?? end) - $0 }
                case .amqp: failed == .amqp ? (loggingIn ?? start).duration(to: end) : nil
                case .login: loggingIn.map { $0.duration(to: end) }
                case .virtualHost: nil
                }
            guard let error, step == failed else {
                examination.add(step.rawValue, took: took, passed(step))
                continue
            }
            let (cause, cure) = explanation(of: error, at: step)
            examination.add(step.rawValue, .failed, took: took, error.message, cause: cause, cure: cure)
            return
        }
    }

    private func passed(_ step: Step) -> String {
        switch step {
        case .tls: "the server's certificate is trusted, and for \(configuration.tls?.serverName ?? configuration.host)"
        case .amqp: "the peer speaks AMQP 0-9-1"
        case .login: "\(configuration.credentials)"
        case .virtualHost: "\"\(configuration.virtualHost)\""
        }
    }

    private func step(of error: AMQPError) -> Step {
        if Cure.tlsFailure(error) != nil || error.code == .tlsFailed { return .tls }
        if error.code == .authenticationFailed { return .login }
        if error.replyCode != nil {
            return Self.mentions(error, "vhost", "virtual host", "limit") ? .virtualHost : .login
        }
        if error.code == .invalidArgument { return configuration.tls == nil ? .login : .tls }
        return .amqp
    }

    private static func mentions(_ error: AMQPError, _ words: String...) -> Bool {
        words.contains { error.message.contains($0) }
    }

    private func explanation(of error: AMQPError, at step: Step) -> (cause: String?, cure: String?) {
        if let failure = Cure.tlsFailure(error) { return (Self.cause(of: failure), Cure.of(failure)) }
        if Self.mentions(error, "limit") {
            return (
                "as many connections as are allowed are open",
                "rabbitmqctl list_connections shows them; rabbitmqctl list_vhost_limits and list_user_limits the limits."
            )
        }
        switch step {
        case .tls: return ("the TLS settings can't be used", Cure.of(error))
        case .login where Self.mentions(error, "offers"):
            return (
                "the broker does not offer that way to log in",
                "Ask for another with auth_mechanism= in the URI, or enable the plugin rabbitmq_auth_mechanism_ssl."
            )
        case .login: return ("the name or the password is wrong, or the user may not log in from here", Cure.of(error))
        case .virtualHost where Self.mentions(error, "refused"):
            return (
                "the user has no permissions in that virtual host",
                "rabbitmqctl set_permissions -p \(configuration.virtualHost) USER '.*' '.*' '.*' gives all of them."
            )
        case .virtualHost:
            return ("there is no such virtual host", Cure.of(error))
        case .amqp: return Self.notAMQP(error)
        }
    }

    private static func cause(of failure: TLSFailure) -> String {
        switch failure.reason {
        case .untrustedIssuer, .selfSigned: "this machine does not trust who signed the certificate"
        case .nameMismatch: "the certificate is for other names"
        case .expired: "the certificate has ended"
        case .notTLS: "the port is not one for TLS"
        case .clientCertificateRequired, .clientCertificateRefused: "the server wants a certificate that it trusts"
        case .noCommonVersion, .noCommonCipher: "both sides have no version of TLS, or no cipher, in common"
        case .timedOut: "the peer says nothing: the port may be without TLS, or something between holds it up"
        case .closedByPeer: "the peer hangs up: the port may be without TLS"
        default: failure.message
        }
    }

    /// What speaks no AMQP.
    private static func notAMQP(_ error: AMQPError) -> (cause: String?, cure: String?) {
        if mentions(error, "TLS where AMQP") {
            return ("the port is one for TLS", "Write amqps:// in place of amqp://.")
        }
        if mentions(error, "unknown type 72") {
            // "H", as in HTTP.
            return (
                "a web server listens there",
                "RabbitMQ's management listens on 15672; AMQP is mostly on 5672, or 5671 for TLS."
            )
        }
        if mentions(error, "another protocol or version") {
            return (
                "the peer speaks another version of AMQP only",
                "RabbitMQ speaks 0-9-1 on the ports of its plain listeners."
            )
        }
        if error.code == .timedOut || mentions(error, "AMQP handshake") {
            return (
                "the peer takes connections and says nothing: it is no broker, hangs, or waits for TLS",
                "Try amqps://; on the broker's machine, rabbitmq-diagnostics check_port_connectivity tells."
            )
        }
        return (
            "it is no broker, or something between ends the connection",
            "Is it the right port? A proxy's log may tell more."
        )
    }
}
#endif

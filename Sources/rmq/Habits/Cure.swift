#if Tool
internal import RabbitMQ

/// What to do about an error of the broker, for those that have a usual cause.
enum Cure {
    static func of(_ error: AMQPError) -> String? {
        if let failure = tlsFailure(error) { return of(failure) }
        switch error.code {
        case .authenticationFailed:
            return
                "rabbitmqctl authenticate_user NAME tells whether the password is right. RabbitMQ lets the user guest in "
                + "from its own machine only."
        case .accessRefused where mentions(error, "exclusive use"):
            return "Another consumer has the queue for itself: it must end first."
        case .accessRefused:
            return "The user's permissions don't cover that name: rabbitmqctl list_user_permissions USER shows them."
        case .notFound where mentions(error, "no queue"):
            return "Queue names are exact, and belong to one virtual host: rmq doctor says which one it is."
        case .notAllowed where mentions(error, "refused for user"):
            return "The user has no permissions there: rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'"
        case .notAllowed where mentions(error, "vhost"):
            return
                "rabbitmqctl list_vhosts shows which there are. In a URI the one named / is written %2f, or left out."
        case .resourceLocked:
            return "Another connection has the queue for itself: it is exclusive, or has an exclusive consumer."
        case _ where error.replyCode == .notImplemented && mentions(error, "stream"):
            return "A stream keeps its messages: rmq consume --offset first reads it."
        case _ where error.replyCode == .notImplemented && mentions(error, "flag set"):
            return
                "Before RabbitMQ 4.0 only classic queues can be deleted on a condition: rmq count shows what is there."
        case .undeliverable:
            return "No queue gets it: names are exact, and belong to one virtual host; rmq count NAME asks for a queue."
        case .blockedTooLong:
            return "The broker takes no messages while it lacks memory or disk: rabbitmqctl status names the alarm."
        case .connectionFailed, .connectionLost, .timedOut: return "rmq doctor looks where it fails."
        default: return nil
        }
    }

    static func of(_ failure: TLSFailure) -> String? {
        switch failure.reason {
        case .untrustedIssuer, .selfSigned:
            "Trust the authority that signed it: --ca FILE, or cacertfile=FILE in the URI."
        case .nameMismatch, .unknownServerName:
            "Connect by a name that the certificate has, or name it: server_name_indication=NAME in the URI."
        case .expired: "The broker needs a new certificate."
        case .invalidCertificate:
            "openssl s_client -connect HOST:PORT shows the certificate: it must be one for servers, and intact."
        case .notYetValid: "The certificate begins later, or this machine's clock is slow."
        case .notTLS, .timedOut, .closedByPeer:
            "Is it the port for TLS? RabbitMQ's mostly is 5671; amqp:// is for 5672."
        case .clientCertificateRequired, .clientCertificateRefused:
            "The broker wants a certificate that it trusts: certfile=FILE&keyfile=FILE in the URI."
        case .noCommonVersion, .noCommonCipher: "The broker's TLS is too old for this client: TLS 1.2 is the least."
        case .unreadableFile, .badCertificate, .badKey, .keyMismatch:
            "The file must hold PEM: -----BEGIN CERTIFICATE----- or a key that fits the certificate."
        case .passphraseMissing, .wrongPassphrase:
            "The key is encrypted: password=PASSPHRASE in the URI, which stands in a profile or in RABBITMQ_URI then."
        default: nil
        }
    }

    /// What TLS says, wherever it is among the causes.
    static func tlsFailure(_ error: AMQPError) -> TLSFailure? {
        switch error.underlying {
        case let failure as TLSFailure: failure
        case let error as AMQPError: tlsFailure(error)
        case let failures as EndpointFailures: failures.failures.lazy.compactMap { tlsFailure($0.error) }.first
        default: nil
        }
    }

    private static func mentions(_ error: AMQPError, _ word: String) -> Bool { error.message.contains(word) }
}
#endif

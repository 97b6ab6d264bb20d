internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension TLSFailure {
    /// A server's certificate that OpenSSL refused, with the number of its reason.
    init(verification code: CInt, text: String, depth: Int, certificate: CertificateFacts?, wanted: PeerName) {
        let who = depth == 0 ? "the server's certificate" : "certificate \(depth) above the server's"
        let which = certificate.map { "\(who) (\($0.subject.printable()))" } ?? who
        switch code {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = certificate?.names ?? []
            let isMisplaced = names.contains { $0.isDNS && wanted.isAddress && $0.text == wanted.description }
            let hint = isMisplaced ? "; an address counts only where it stands as one" : ""
            let offered =
                names.isEmpty ? "no name at all" : names.map(\.description).joined(separator: ", ").printable()
            self.init(
                .serverVerification,
                .nameMismatch,
                "\(which) is not for \(wanted): it is for \(offered)\(hint)",
                wantedName: wanted.description,
                offeredNames: names.map(\.text)
            )
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let end = certificate.map { " on \($0.notAfter)" } ?? ""
            self.init(.serverVerification, .expired, "\(which) ended\(end)")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let start = certificate.map { " on \($0.notBefore)" } ?? ""
            self.init(.serverVerification, .notYetValid, "\(which) begins only\(start)")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            self.init(.serverVerification, .selfSigned, "\(which) is signed by itself, and not among the trusted ones")
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_CERT_UNTRUSTED:
            let issuer = certificate.map { " by \($0.issuer.printable())" } ?? ""
            self.init(
                .serverVerification,
                .untrustedIssuer,
                "\(which), issued\(issuer), leads to no trusted authority (\(text))"
            )
        default:
            self.init(.serverVerification, .invalidCertificate, "\(which) is not valid: \(text)")
        }
    }

    /// A handshake that failed, from what was seen of it. Read right after the call, on its thread.
    init(handshake watch: TLSWatch, errors: [OpenSSLErrors.Entry], errno code: CInt) {
        if let verification = watch.verification {
            self = verification
        } else if let alert = watch.alert {
            self.init(alert: alert, lackedCertificate: watch.lackedCertificate)
        } else if let entry = errors.first {
            self.init(entry, all: errors)
        } else {
            let reason = code == ECONNRESET || code == EPIPE ? ": \(String(cString: strerror(code)))" : ""
            self.init(.handshake, .closedByPeer, "the peer closed the connection during the handshake\(reason)")
        }
    }

    private init(_ entry: OpenSSLErrors.Entry, all: [OpenSSLErrors.Entry]) {
        guard entry.library == ERR_LIB_SSL else {
            self.init(.handshake, .other, "OpenSSL says: \(all.text)")
            return
        }
        switch entry.reason {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_NO_PROTOCOLS_AVAILABLE,
            SSL_R_WRONG_SSL_VERSION:
            self.init(
                .negotiation,
                .noCommonVersion,
                "the server speaks no version of TLS that is allowed (\(entry.text))"
            )
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_UNKNOWN_PROTOCOL:
            self.init(.negotiation, .notTLS, "what answers does not speak TLS; is it the port without TLS?")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_CIPHERS_AVAILABLE, SSL_R_WRONG_CIPHER_RETURNED:
            self.init(.negotiation, .noCommonCipher, "the server takes no cipher that is allowed (\(entry.text))")
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            self.init(.handshake, .closedByPeer, "the peer closed the connection during the handshake")
        default:
            self.init(.handshake, .other, "OpenSSL says: \(all.text)")
        }
    }

    /// The peer's reason for ending the connection, RFC 8446, section 6.2.
    ///
    /// - Parameter lackedCertificate: Whether it had asked for a certificate and got none.
    init(alert: CInt, lackedCertificate: Bool) {
        // OpenSSL 3 has no words for this one.
        let isRequired = alert == SSL_AD_CERTIFICATE_REQUIRED
        let name = isRequired ? "certificate required" : String(cString: SSL_alert_desc_string_long(alert))
        let says = "the server says '\(name)' (alert \(alert))"
        switch alert {
        case SSL_AD_PROTOCOL_VERSION:
            self.init(
                .negotiation,
                .noCommonVersion,
                "\(says): it takes no version of TLS that is allowed here"
            )
        case SSL_AD_CERTIFICATE_REQUIRED:
            self.init(.clientVerification, .clientCertificateRequired, "\(says): it wants a certificate of the client")
        // Servers of TLS 1.2 have no alert of their own for it.
        case SSL_AD_HANDSHAKE_FAILURE where lackedCertificate, SSL_AD_BAD_CERTIFICATE where lackedCertificate:
            self.init(
                .clientVerification,
                .clientCertificateRequired,
                "\(says) after it asked for a certificate of the client and got none"
            )
        case SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INSUFFICIENT_SECURITY:
            self.init(.negotiation, .noCommonCipher, "\(says): it takes no cipher that is allowed here")
        case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
            SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED,
            SSL_AD_DECRYPT_ERROR:
            self.init(
                .clientVerification,
                .clientCertificateRefused,
                "\(says): it does not accept the client's certificate"
            )
        case SSL_AD_UNRECOGNIZED_NAME:
            self.init(.negotiation, .unknownServerName, "\(says): it is not known by the name it was asked for")
        default:
            self.init(.handshake, .other, says)
        }
    }

    static let timeout = TLSFailure(.handshake, .timedOut, "the peer did not finish the handshake in time")
}

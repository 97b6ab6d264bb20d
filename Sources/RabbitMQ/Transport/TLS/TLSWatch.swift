internal import CRabbitMQ

/// Watches a handshake from within OpenSSL's callbacks, and remembers why things failed.
///
/// Not Sendable: OpenSSL calls back on the thread that calls OpenSSL, and that is where its session is.
final class TLSWatch {
    private let peerName: PeerName
    /// What the verification of the server's certificate ended with.
    private(set) var verification: TLSFailure?
    /// The number of the alert with which the peer ended the connection (RFC 8446, section 6.2).
    private(set) var alert: CInt?
    /// The server asked for a certificate, and there was none.
    private(set) var lackedCertificate = false

    init(peerName: PeerName) { self.peerName = peerName }

    /// Has sessions of the context call their watches.
    static func prepare(_ context: OpaquePointer) {
        SSL_CTX_set_info_callback(context) { ssl, place, value in
            if let ssl { TLSWatch.of(ssl)?.informed(place, value) }
        }
        SSL_CTX_set_client_cert_cb(context) { ssl, _, _ in
            if let ssl { TLSWatch.of(ssl)?.lackedCertificate = true }
            return 0
        }
    }

    /// Watches a session, which must not outlive this. Each has its own watch: those of one context, which go to several
    /// addresses, tell nothing of each other.
    func watch(_ ssl: OpaquePointer) {
        // Index 0 is OpenSSL's app_data, for the application to use.
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
    }

    /// For `SSL_CTX_set_verify`. It only looks: what OpenSSL decided stays.
    static let verified: @convention(c) (CInt, OpaquePointer?) -> CInt = { isGood, store in
        guard isGood != 1, let store,
            let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
        else { return isGood }
        TLSWatch.of(OpaquePointer(ssl))?.refused(store)
        return isGood
    }

    private static func of(_ ssl: OpaquePointer) -> TLSWatch? {
        guard let pointer = SSL_get_ex_data(ssl, 0) else { return nil }
        return Unmanaged<TLSWatch>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func informed(_ place: CInt, _ value: CInt) {
        // After a warning the handshake goes on, as after that of a server which has no certificate for the name. Kept, it
        // would be taken for the reason when the connection breaks, however much later. The goodbye is a warning as well.
        guard place & SSL_CB_ALERT != 0, place & SSL_CB_READ != 0, value >> 8 == SSL3_AL_FATAL else { return }
        alert = value & 0xFF
    }

    private func refused(_ store: OpaquePointer) {
        guard verification == nil else { return }
        let code = X509_STORE_CTX_get_error(store)
        let certificate = X509_STORE_CTX_get_current_cert(store).map { CertificateFacts($0) }
        verification = TLSFailure(
            verification: code,
            text: String(cString: X509_verify_cert_error_string(CLong(code))),
            depth: Int(X509_STORE_CTX_get_error_depth(store)),
            certificate: certificate,
            wanted: peerName
        )
    }
}

/// What an error message tells of a certificate. Every text is the peer's choice.
struct CertificateFacts {
    let subject: String
    let issuer: String
    let notBefore: String
    let notAfter: String
    let names: [Name]

    init(_ certificate: OpaquePointer) {
        subject = Self.text { shim_X509_NAME_print($0, X509_get_subject_name(certificate)) }
        issuer = Self.text { shim_X509_NAME_print($0, X509_get_issuer_name(certificate)) }
        notBefore = Self.text { ASN1_TIME_print($0, X509_get0_notBefore(certificate)) }
        notAfter = Self.text { ASN1_TIME_print($0, X509_get0_notAfter(certificate)) }
        let place = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard place >= 0, let names = X509_get_ext(certificate, place) else {
            self.names = []
            return
        }
        // `DNS:localhost, IP Address:127.0.0.1`
        let listed = Self.text { X509V3_EXT_print($0, names, 0, 0) }
        self.names = listed.split(separator: ",").map { Name($0.drop { $0 == " " }) }
    }

    /// One of those that a certificate is for.
    struct Name: CustomStringConvertible {
        /// An address that stands as a DNS name is for nobody who connects to the address.
        let kind: String
        let text: String

        /// - Parameter printed: As OpenSSL prints it, such as `DNS:localhost`.
        init(_ printed: Substring) {
            let words = [
                ("DNS:", "DNS name "), ("IP Address:", "address "), ("email:", "e-mail address "), ("URI:", "URI "),
            ]
            let known = words.first { printed.hasPrefix($0.0) }
            kind = known?.1 ?? ""
            text = String(printed.dropFirst(known?.0.count ?? 0))
        }

        var isDNS: Bool { kind == "DNS name " }

        var description: String { kind + text }
    }

    private static func text(_ print: (OpaquePointer) -> CInt) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        _ = print(bio)
        var data: UnsafeMutablePointer<CChar>?
        let count = shim_BIO_get_mem_data(bio, &data)
        guard let data, count > 0 else { return "" }
        let bytes = UnsafeRawBufferPointer(start: data, count: min(count, 1024))
        return String(decoding: bytes, as: UTF8.self)
    }
}

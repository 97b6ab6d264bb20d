internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// An SSL_CTX: what is trusted, and who we are.
///
/// `@unchecked Sendable` is safe because one thread sets it up, and gives it to the link's queue.
final class TLSContext: @unchecked Sendable {
    let context: OpaquePointer
    private let configuration: ConnectionConfiguration.TLS
    /// What the certificate must hold.
    private let peerName: PeerName

    /// OpenSSL frees what it has when the process exits, and whoever uses it at that moment crashes. So it leaves that to
    /// the system, if nobody has used it before.
    private static let isOpenSSLReady = OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Reads files, and the system's authorities take some milliseconds.
    init(_ configuration: ConnectionConfiguration.TLS, peerName: PeerName) throws(TLSFailure) {
        guard Self.isOpenSSLReady, let context = SSL_CTX_new(TLS_client_method()) else {
            let reason = OpenSSLErrors.take().text
            throw TLSFailure(.configuration, .unsupported, "OpenSSL can't be used: \(reason)")
        }
        self.context = context
        self.configuration = configuration
        self.peerName = peerName
        try configure()
    }

    deinit { SSL_CTX_free(context) }

    private func configure() throws(TLSFailure) {
        TLSWatch.prepare(context)
        try setVersions()
        if configuration.verification != .none { try trust() }
        try setVerification()
        if let identity = configuration.identity { try use(identity) }
        // A write of a part is as good as one that is refused. The address of what is written may change between two tries:
        // the outbound buffer grows. Without AUTO_RETRY a read gives up after a record that holds no data, though
        // another may be there; on a socket that never blocks it is right.
        shim_SSL_CTX_set_mode(
            context,
            CLong(SSL_MODE_ENABLE_PARTIAL_WRITE) | CLong(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
                | CLong(SSL_MODE_AUTO_RETRY)
        )
        // In a renegotiation (TLS 1.2) a write may have to wait for a read, with the socket free to be written to.
        shim_SSL_CTX_set_no_renegotiation(context)
        // One recv for several records, in place of two for each.
        shim_SSL_CTX_set_read_ahead(context, 1)
        SSL_CTX_set_default_read_buffer_len(context, 64 * 1024)
    }

    private func setVersions() throws(TLSFailure) {
        let highest = configuration.maximumVersion?.openSSL ?? 0
        guard shim_SSL_CTX_set_min_proto_version(context, configuration.minimumVersion.openSSL) == 1,
            shim_SSL_CTX_set_max_proto_version(context, highest) == 1
        else {
            throw TLSFailure(
                .configuration,
                .unsupported,
                "the installed OpenSSL does not have the wanted versions of TLS: \(OpenSSLErrors.take().text)"
            )
        }
    }

    // MARK: Verification

    private func setVerification() throws(TLSFailure) {
        guard configuration.verification != .none else {
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
            return
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, TLSWatch.verified)
        if let depth = configuration.verificationDepth { SSL_CTX_set_verify_depth(context, CInt(clamping: depth)) }
        let parameters = SSL_CTX_get0_param(context)
        // A certificate that was given to be trusted is trusted, also if another authority signed it.
        X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        guard configuration.verification == .full else { return }
        // RFC 9525: a common name is no host name, and a wildcard stands for a whole label.
        X509_VERIFY_PARAM_set_hostflags(
            parameters,
            UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) | UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
        )
        let isSet =
            switch peerName {
            case .address(let address): X509_VERIFY_PARAM_set1_ip_asc(parameters, address)
            case .name(let name): X509_VERIFY_PARAM_set1_host(parameters, name, 0)
            }
        guard isSet == 1, peerName.isVerifiable else {
            throw TLSFailure(.configuration, .unsupported, "OpenSSL can't verify the name \(peerName)")
        }
    }

    // MARK: Trust

    private func trust() throws(TLSFailure) {
        if configuration.trustRoots.count == 1, case .system? = configuration.trustRoots.first?.source {
            return try SystemTrust.shared.use(in: context) { () throws(TLSFailure) in try trustSystem() }
        }
        for roots in configuration.trustRoots {
            switch roots.source {
            case .system: try trustSystem()
            case .certificates(let pem): try trust(pem)
            case .directory(let path):
                guard let directory = opendir(path) else {
                    let reason = String(cString: strerror(errno))
                    throw TLSFailure(.configuration, .unreadableFile, "the directory \(path) can't be read: \(reason)")
                }
                closedir(directory)
                guard SSL_CTX_load_verify_locations(context, nil, path) == 1 else { throw notTrusted(path) }
            }
        }
    }

    private func trust(_ pem: ConnectionConfiguration.TLS.PEM) throws(TLSFailure) {
        let store = SSL_CTX_get_cert_store(context)
        for certificate in try PEMReader.certificates(pem) {
            guard X509_STORE_add_cert(store, certificate.pointer) == 1 else { throw notTrusted(PEMReader.name(pem)) }
        }
    }

    private func trustSystem() throws(TLSFailure) {
        guard SSL_CTX_set_default_verify_paths(context) == 1 else { throw notTrusted("the system's authorities") }
        // An OpenSSL that was not built for the distribution looks where nothing is.
        let variables = [X509_get_default_cert_file_env(), X509_get_default_cert_dir_env()]
        let paths = [X509_get_default_cert_file(), X509_get_default_cert_dir()]
        let isSet = variables.contains { name in name.map { getenv($0) != nil } ?? false }
        let isThere = paths.contains { path in path.map { access($0, R_OK) == 0 } ?? false }
        guard !isSet, !isThere, let bundle = Self.bundles.first(where: { access($0, R_OK) == 0 }) else { return }
        try trust(.file(bundle))
    }

    /// Where distributions keep their authorities: Debian and Alpine, Fedora, SUSE, others.
    static let bundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    ]

    private func notTrusted(_ what: String) -> TLSFailure {
        TLSFailure(
            .configuration,
            .badCertificate,
            "OpenSSL does not take \(what) as trust roots: \(OpenSSLErrors.take().text)"
        )
    }

    // MARK: Identity

    private func use(_ identity: ConnectionConfiguration.TLS.ClientIdentity) throws(TLSFailure) {
        let chain = try PEMReader.certificates(identity.certificate)
        let key = try PEMReader.key(identity.key, passphrase: identity.passphrase)
        guard let leaf = chain.first else { return }
        OpenSSLErrors.clear()
        guard X509_check_private_key(leaf.pointer, key.pointer) == 1 else {
            OpenSSLErrors.clear()
            throw TLSFailure(
                .configuration,
                .keyMismatch,
                "the private key in \(PEMReader.name(identity.key)) is not that of the first certificate in "
                    + PEMReader.name(identity.certificate)
            )
        }
        var isTaken = SSL_CTX_use_certificate(context, leaf.pointer) == 1
        for certificate in chain.dropFirst() where isTaken {
            isTaken = shim_SSL_CTX_add1_chain_cert(context, certificate.pointer) == 1
        }
        guard isTaken, SSL_CTX_use_PrivateKey(context, key.pointer) == 1 else {
            throw TLSFailure(
                .configuration,
                .badCertificate,
                "OpenSSL does not take the client's certificate: \(OpenSSLErrors.take().text)"
            )
        }
    }
}

extension ConnectionConfiguration.TLS.Version {
    fileprivate var openSSL: CInt { 0x0300 + CInt(minor) }
}

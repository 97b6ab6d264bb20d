internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Reads certificates and keys. It never asks on the terminal, as OpenSSL would for a passphrase.
enum PEMReader {
    /// The certificates in `pem`, at least one; others kinds of content are skipped.
    static func certificates(_ pem: ConnectionConfiguration.TLS.PEM) throws(TLSFailure) -> [Certificate] {
        let bio = try open(pem)
        defer { BIO_free(bio) }
        OpenSSLErrors.clear()
        var certificates: [Certificate] = []
        while let certificate = PEM_read_bio_X509(bio, nil, neverAsk, nil) {
            certificates.append(Certificate(owning: certificate))
        }
        let errors = OpenSSLErrors.take()
        let isEnd = errors.last?.isReason(PEM_R_NO_START_LINE, of: ERR_LIB_PEM) ?? false
        guard isEnd else {
            throw TLSFailure(.configuration, .badCertificate, "\(name(pem)) holds a broken certificate: \(errors.text)")
        }
        guard !certificates.isEmpty else {
            throw TLSFailure(.configuration, .badCertificate, "\(name(pem)) holds no certificate in PEM format")
        }
        return certificates
    }

    static func key(_ pem: ConnectionConfiguration.TLS.PEM, passphrase: Secret?) throws(TLSFailure) -> PrivateKey {
        let bio = try open(pem)
        defer { BIO_free(bio) }
        OpenSSLErrors.clear()
        let answer = PassphraseAnswer(passphrase)
        let key = withExtendedLifetime(answer) {
            PEM_read_bio_PrivateKey(
                bio,
                nil,
                { buffer, size, _, user in
                    guard let buffer, let user else { return -1 }
                    let answer = Unmanaged<PassphraseAnswer>.fromOpaque(user).takeUnretainedValue()
                    return answer.give(UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)))
                },
                Unmanaged.passUnretained(answer).toOpaque()
            )
        }
        let errors = OpenSSLErrors.take()
        if let key { return PrivateKey(owning: key) }
        if answer.wasAsked {
            guard passphrase != nil else {
                throw TLSFailure(
                    .configuration,
                    .passphraseMissing,
                    "the key in \(name(pem)) is encrypted, and no passphrase is given"
                )
            }
            throw TLSFailure(
                .configuration,
                .wrongPassphrase,
                "the passphrase does not open the key in \(name(pem)): \(errors.text)"
            )
        }
        throw TLSFailure(.configuration, .badKey, "\(name(pem)) holds no private key that can be read: \(errors.text)")
    }

    static func name(_ pem: ConnectionConfiguration.TLS.PEM) -> String {
        switch pem.source {
        case .file(let path): "the file \(path)"
        case .bytes(let content): "the given PEM of \(content.bytes.count) bytes"
        }
    }

    private static func open(_ pem: ConnectionConfiguration.TLS.PEM) throws(TLSFailure) -> OpaquePointer {
        OpenSSLErrors.clear()
        let bio: OpaquePointer?
        switch pem.source {
        case .file(let path):
            guard !path.utf8.contains(0) else {
                throw TLSFailure(.configuration, .unreadableFile, "the path of a PEM file holds a NUL character")
            }
            // Closed in programs that another thread starts meanwhile: it may be a private key.
            bio = BIO_new_file(path, "re")
        case .bytes(let content):
            let bytes = content.bytes
            guard let memory = BIO_new(BIO_s_mem()) else { return try outOfMemory() }
            // An empty source stays an empty BIO.
            if !bytes.isEmpty, BIO_write(memory, bytes, CInt(clamping: bytes.count)) != CInt(clamping: bytes.count) {
                BIO_free(memory)
                return try outOfMemory()
            }
            bio = memory
        }
        let errors = OpenSSLErrors.take()
        guard let bio else {
            let reason = errors.first { $0.library == ERR_LIB_SYS }?.text ?? errors.text
            throw TLSFailure(.configuration, .unreadableFile, "\(name(pem)) can't be read: \(reason)")
        }
        return bio
    }

    private static func outOfMemory() throws(TLSFailure) -> OpaquePointer {
        throw TLSFailure(.configuration, .other, "OpenSSL has no memory left")
    }

    private static let neverAsk:
        @convention(c) (UnsafeMutablePointer<CChar>?, CInt, CInt, UnsafeMutableRawPointer?) ->
            CInt = { _, _, _, _ in -1 }
}

/// What is answered when OpenSSL asks for a passphrase.
private final class PassphraseAnswer {
    private let passphrase: Secret?
    private(set) var wasAsked = false

    init(_ passphrase: Secret?) { self.passphrase = passphrase }

    /// - Returns: The length of what was written, or -1 to give up.
    func give(_ buffer: UnsafeMutableRawBufferPointer) -> CInt {
        wasAsked = true
        guard let bytes = passphrase.map({ Array($0.value.utf8) }), bytes.count <= buffer.count else { return -1 }
        buffer.copyBytes(from: bytes)
        return CInt(bytes.count)
    }
}

/// An X509 of OpenSSL's, freed with it.
final class Certificate {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }
}

/// An EVP_PKEY of OpenSSL's, freed with it.
final class PrivateKey {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }
}

internal import CRabbitMQ
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The system's authorities, read once for all connections that trust them and nobody else: each would take ten
/// milliseconds and more than a megabyte.
final class SystemTrust: Sendable {
    static let shared = SystemTrust(places: places)

    /// What was read, and what it looked like from outside then.
    private struct Read {
        let store: CertificateStore
        let signature: [String]
    }

    private let last = Mutex<Read?>(nil)
    /// The files and directories that they are read from.
    private let places: @Sendable () -> [String]

    init(places: @escaping @Sendable () -> [String]) { self.places = places }

    /// Has a context trust them.
    ///
    /// - Parameter read: Reads them into the context's own store, if they were not read yet or have changed.
    func use(in context: OpaquePointer, _ read: () throws(TLSFailure) -> Void) throws(TLSFailure) {
        let signature = signature
        try last.withLock { last throws(TLSFailure) in
            if let last, last.signature == signature {
                SSL_CTX_set1_cert_store(context, last.store.pointer)
                return
            }
            try read()
            last = CertificateStore(of: context).map { Read(store: $0, signature: signature) }
        }
    }

    /// What changes when they do: where they are, and the times and sizes of the files, and of the directories. Of a
    /// directory of single files OpenSSL reads what it needs, when it needs it, and keeps it: one that was removed would be
    /// trusted for as long as the store is used.
    private var signature: [String] {
        places().flatMap { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return [path, ""] }
            return [
                path,
                "\(status.st_dev) \(status.st_ino) \(status.st_size) \(shim_modification_time(&status))",
            ]
        }
    }

    /// Where the environment says, where OpenSSL looks by itself, and where distributions keep them.
    private static func places() -> [String] {
        let settings = [X509_get_default_cert_file_env(), X509_get_default_cert_dir_env()].map { name in
            name.flatMap { getenv($0) }.map { String(cString: $0) } ?? ""
        }
        let standard = X509_get_default_cert_file().map { String(cString: $0) } ?? ""
        let directories = X509_get_default_cert_dir().map { String(cString: $0) } ?? ""
        return [settings[0], standard] + TLSContext.bundles
            + (settings[1].split(separator: ":") + directories.split(separator: ":")).map(String.init)
    }
}

/// A reference to an X509_STORE.
///
/// `@unchecked Sendable` is safe because OpenSSL locks it.
private final class CertificateStore: @unchecked Sendable {
    let pointer: OpaquePointer

    init?(of context: OpaquePointer) {
        guard let store = SSL_CTX_get_cert_store(context), X509_STORE_up_ref(store) == 1 else { return nil }
        pointer = store
    }

    deinit { X509_STORE_free(pointer) }
}

import TestSupport
import Testing

@testable import RabbitMQ

/// What a test reads, made once.
private let made = Task {
    let made = try TestCertificates()
    for name in ["first", "second", "third"] { try await made.issue(name, .client) }
    return made
}

/// A way to break a text.
private struct Fault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let spoil: @Sendable (String) -> String

    init(_ testDescription: String, _ spoil: @escaping @Sendable (String) -> String) {
        self.testDescription = testDescription
        self.spoil = spoil
    }
}

private typealias PEM = ConnectionConfiguration.TLS.PEM

@Suite("reading certificates", .timeLimit(.minutes(1)))
struct CertificateReadingTests {
    /// The subjects of the certificates that are read.
    private func subjects(_ text: String) throws -> [String] {
        try PEMReader.certificates(.text(text)).map { CertificateFacts($0.pointer).subject }
    }

    private func failure(_ pem: PEM) -> TLSFailure? {
        #expect(throws: TLSFailure.self) { _ = try PEMReader.certificates(pem) }
    }

    @Test func `takes all of them in their order, and passes over what stands between`() async throws {
        let made = try await made.value
        let text = try [
            "Bag Attributes\n    friendlyName: rabbit\n", made.text("first.pem"), "\n\n# the next one\n",
            made.text("first.key"), made.text("second.pem"), made.text("second.csr"), made.text("third.pem"),
            "-----BEGIN\nrubbish -----END CERTIFICATE-----\n",
        ].joined()
        #expect(try subjects(text) == ["CN=first", "CN=second", "CN=third"])
    }

    @Test func `takes lines that end with CR LF, and a last line without an end`() async throws {
        let both = try await made.value.text("first.pem") + made.value.text("second.pem")
        #expect(try subjects(both.replacing("\n", with: "\r\n")) == ["CN=first", "CN=second"])
        #expect(try subjects(String(both.dropLast())) == ["CN=first", "CN=second"])
        #expect(try subjects(both.replacing("\n", with: " \t\n")) == ["CN=first", "CN=second"])
    }

    @Test func `asks nobody for the passphrase of a key that stands between`() async throws {
        let made = try await made.value
        let key = try await made.openssl(
            ["pkcs8", "-topk8", "-in", made.path("first.key"), "-passout", "pass:rabbit"]
        )
        #expect(key.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        #expect(try subjects(key + made.text("first.pem") + key) == ["CN=first"])
    }

    @Test(
        arguments: [
            Fault("no end", { $0.replacing("-----END CERTIFICATE-----", with: "") }),
            Fault("another end", { $0.replacing("-----END CERTIFICATE-----", with: "-----END PRIVATE KEY-----") }),
            Fault("half of it", { String($0.prefix($0.count / 2)) }),
            Fault(
                "a line less",
                {
                    $0.split(separator: "\n").enumerated().filter { $0.offset != 2 }.map(\.element).joined(
                        separator: "\n"
                    )
                }
            ),
            Fault("a letter less", { String($0.prefix(100) + $0.dropFirst(101)) }),
            Fault("what is no base 64", { String($0.prefix(100)) + "*" + $0.dropFirst(101) }),
            Fault("nothing inside", { _ in "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" }),
            Fault("only padding", { _ in "-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n" }),
        ]
    )
    fileprivate func `refuses all of them for one that is broken`(_ fault: Fault) async throws {
        let (good, other) = (try await made.value.text("first.pem"), try await made.value.text("second.pem"))
        for text in [fault.spoil(other), good + fault.spoil(other), fault.spoil(other) + "\n" + good] {
            let failure = failure(.text(text))
            #expect(failure?.reason == .badCertificate)
            #expect(failure?.message.contains("broken") == true, "\(failure?.message ?? "")")
        }
    }

    @Test(arguments: [
        "", "\0", "\n\n\n", "-----BEGIN ", "-----BEGIN CERTIFICATE", String(repeating: "-", count: 100_000),
        String(repeating: "-----BEGIN \n", count: 10_000), "-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----begin certificate-----\nAAAA\n-----end certificate-----\n",
    ]) func `refuses what holds none`(text: String) async throws {
        let failure = failure(.text(text))
        #expect(failure?.step == .configuration)
        #expect(failure?.reason == .badCertificate)
        #expect(failure?.message.contains("\(text.utf8.count) bytes") == true)
    }

    @Test func `refuses a request for a certificate, a key, and a certificate in binary form`() async throws {
        let made = try await made.value
        for name in ["first.csr", "first.key"] { #expect(failure(.file(made.path(name)))?.reason == .badCertificate) }
        try await made.openssl(
            ["x509", "-in", made.path("first.pem"), "-outform", "DER", "-out", made.path("first.der")]
        )
        #expect(failure(.file(made.path("first.der")))?.reason == .badCertificate)
    }

    @Test func `says which file can't be read, and why`() throws {
        let missing = failure(.file("/nowhere/ca.pem"))
        #expect(missing?.reason == .unreadableFile)
        #expect(missing?.message == "the file /nowhere/ca.pem can't be read: No such file or directory")
        #expect(failure(.file("/etc/passwd/ca.pem"))?.message.hasSuffix("Not a directory") == true)
        #expect(failure(.file(""))?.reason == .unreadableFile)
        #expect(failure(.file("/etc/ssl\0.pem"))?.reason == .unreadableFile)
    }

    @Test func `takes no error of an earlier call for its own, and leaves none behind`() async throws {
        let text = try await made.value.text("first.pem")
        // Without a wait from here on: OpenSSL's errors are the thread's.
        provokeError()
        #expect(try subjects(text) == ["CN=first"])
        #expect(OpenSSLErrors.take().isEmpty)
        provokeError()
        let failure = failure(.text("rubbish"))
        #expect(failure?.message == "the given PEM of 7 bytes holds no certificate in PEM format")
        #expect(OpenSSLErrors.take().isEmpty)
    }
}

@Suite("reading a private key", .timeLimit(.minutes(1)))
struct KeyReadingTests {
    private func failure(_ pem: PEM, _ passphrase: String? = nil) -> TLSFailure? {
        #expect(throws: TLSFailure.self) { _ = try PEMReader.key(pem, passphrase: passphrase.map { Secret($0) }) }
    }

    /// Whether a text holds the key of a certificate.
    private func isKey(_ text: String, _ passphrase: String? = nil, of name: String = "first") async throws -> Bool {
        let certificate = PEM.file(try await made.value.path("\(name).pem"))
        var tls = ConnectionConfiguration.TLS()
        tls.verification = .none
        tls.identity = .init(certificate: certificate, key: .text(text), passphrase: passphrase)
        do throws(TLSFailure) {
            _ = try TLSContext(tls, peerName: PeerName("localhost"))
            return true
        } catch {
            guard error.reason == .keyMismatch else { throw error }
            return false
        }
    }

    /// The first certificate's key in another form.
    private func key(_ arguments: String...) async throws -> String {
        let made = try await made.value
        return try await made.openssl(arguments + ["-in", made.path("first.key")])
    }

    @Test func `takes it in its old form and in PKCS 8, behind parameters or a certificate`() async throws {
        let text = try await made.value.text("first.key")
        #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----"))
        let old = try await key("ec")
        #expect(old.hasPrefix("-----BEGIN EC PRIVATE KEY-----"))
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        let certificate = try await made.value.text("second.pem")
        for text in [text, old, parameters + old, certificate + text, "# mine\n\n" + text, text + "rubbish"] {
            #expect(try await isKey(text), "\(text)")
            #expect(try await isKey(text.replacing("\n", with: "\r\n")))
        }
    }

    @Test func `takes the first of several`() async throws {
        let (first, second) = (try await made.value.text("first.key"), try await made.value.text("second.key"))
        #expect(try await isKey(first + second))
        #expect(try await !isKey(second + first))
    }

    @Test func `passes over a public key before it, and takes none for a private one`() async throws {
        let open = try await key("pkey", "-pubout")
        #expect(open.hasPrefix("-----BEGIN PUBLIC KEY-----"))
        #expect(failure(.text(open))?.reason == .badKey)
        #expect(try await isKey(open + made.value.text("first.key")))
    }

    @Test(arguments: [["pkcs8", "-topk8", "-v2", "aes-256-cbc"], ["ec", "-aes128"]])
    func `opens an encrypted one with its passphrase only`(form: [String]) async throws {
        let made = try await made.value
        let text = try await made.openssl(form + ["-in", made.path("first.key"), "-passout", "pass:räbbit"])
        #expect(text.contains("ENCRYPTED"))
        #expect(try await isKey(text, "räbbit"))
        #expect(try await isKey(made.text("second.pem") + text, "räbbit"))
        #expect(failure(.text(text))?.reason == .passphraseMissing)
        // OpenSSL has room for 1024 bytes.
        for wrong in ["", "rabbit", "räbbit ", String(repeating: "räbbit", count: 1_000)] {
            let failure = failure(.text(text), wrong)
            #expect(failure?.reason == .wrongPassphrase, "\(failure?.message ?? "")")
            #expect(failure?.message.contains("bbit") == false)
        }
    }

    @Test func `does not need the passphrase that is given for one that is not encrypted`() async throws {
        #expect(try await isKey(made.value.text("first.key"), "rabbit"))
    }

    @Test(
        arguments: [
            Fault("half of it", { String($0.prefix($0.count / 2)) }),
            Fault("no end", { $0.replacing("-----END PRIVATE KEY-----", with: "") }),
            Fault("a letter less", { String($0.prefix(60) + $0.dropFirst(61)) }),
            Fault("another label", { $0.replacing("PRIVATE KEY", with: "DH PARAMETERS") }),
            Fault("another kind of key", { $0.replacing("PRIVATE KEY", with: "RSA PRIVATE KEY") }),
            Fault("nothing", { _ in "" }),
            Fault("nothing inside", { _ in "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n" }),
            Fault(
                "broken encryption",
                { _ in
                    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: NONE,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
                }
            ),
            Fault("NUL", { _ in "\0\0\0\0" }),
            Fault("much", { _ in String(repeating: "-----BEGIN PRIVATE KEY-----\n", count: 10_000) }),
        ]
    )
    fileprivate func `refuses a broken one, and shows nothing of it`(_ fault: Fault) async throws {
        let text = fault.spoil(try await made.value.text("first.key"))
        let inside = text.split(separator: "\n").dropFirst().first.map { String($0.prefix(20)) }
        for passphrase in [nil, "rabbit"] {
            let failure = failure(.text(text), passphrase)
            #expect(failure?.reason == .badKey, "\(failure?.message ?? "")")
            if let inside { #expect(failure?.message.contains(inside) == false) }
        }
        #expect(OpenSSLErrors.take().isEmpty)
    }
}

internal import Foundation

/// Keys and certificates that a test makes for itself, in a folder that goes when the last holds them no more.
///
/// Each certificate has a key of its own beside it, with the extension `.key`.
public final class TestCertificates: Sendable {
    /// Where they are.
    public let folder: String

    /// What certificates are given to do.
    public enum Role: String, Sendable {
        /// To sign others.
        case authority = "basicConstraints=critical,CA:TRUE"
        /// To be a server, and no client.
        case server = "extendedKeyUsage=serverAuth"
        /// To be a client, and no server.
        case client = "extendedKeyUsage=clientAuth"
    }

    /// Makes the folder.
    public init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write("", to: "index.txt")
        try write(
            """
            [req]
            distinguished_name = none
            [none]
            [ca]
            default_ca = own
            [own]
            database = \(folder)/index.txt
            new_certs_dir = \(folder)
            rand_serial = yes
            unique_subject = no
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            """,
            to: "openssl.cnf"
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The path of a file in the folder.
    public func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// The content of a file in the folder.
    public func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    /// Writes a file in the folder.
    public func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    }

    /// Makes `name.key` and `name.pem`.
    ///
    /// - Parameters:
    ///   - name: Also the certificate's common name.
    ///   - issuer: Who signs it: one that was made before, or a path without extension; by default it signs itself.
    ///   - alternatives: The value of `subjectAltName`, such as `DNS:localhost`.
    ///   - year: When it begins; it ends two years later. By default it began yesterday, and ends tomorrow.
    public func issue(
        _ name: String,
        _ role: Role,
        by issuer: String? = nil,
        for alternatives: String? = nil,
        from year: Int? = nil
    ) async throws {
        try write(role.rawValue + (alternatives.map { "\nsubjectAltName=\($0)" } ?? "") + "\n", to: "\(name).ext")
        try await openssl(
            ["req", "-new", "-batch", "-config", path("openssl.cnf"), "-subj", "/CN=\(name)"]
                + ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-keyout", path("\(name).key"), "-out", path("\(name).csr")]
        )
        let signer = issuer.map { $0.hasPrefix("/") ? $0 : path($0) }
        let key =
            ["-keyfile", "\(signer ?? path(name)).key"] + (signer.map { ["-cert", "\($0).pem"] } ?? ["-selfsign"])
        let day = 86_400.0
        let dates =
            year.map { ("\($0)0101000000Z", "\($0 + 2)0101000000Z") }
            ?? (Self.date(Date().addingTimeInterval(-day)), Self.date(Date().addingTimeInterval(day)))
        try await openssl(
            ["ca", "-batch", "-notext", "-config", path("openssl.cnf"), "-extfile", path("\(name).ext")]
                + ["-in", path("\(name).csr"), "-out", path("\(name).pem")]
                + ["-startdate", dates.0, "-enddate", dates.1] + key
        )
    }

    /// Runs `openssl`.
    ///
    /// - Returns: What it wrote to its standard output.
    @discardableResult
    public func openssl(_ arguments: [String]) async throws -> String {
        try await Subprocess.run("/usr/bin/env", ["openssl"] + arguments)
    }

    /// As `openssl ca` takes it.
    private static func date(_ date: Date) -> String {
        date.formatted(.iso8601.dateSeparator(.omitted).timeSeparator(.omitted)).replacing("T", with: "")
    }
}

import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("A server's certificate with an authority in between", .needsBrokerScript, .timeLimit(.minutes(1)))
struct CertificateChainTests {
    /// Makes an authority below the broker's, and a certificate that it signs, in a folder that is removed again.
    private func withChain(_ body: (_ folder: String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = try TestBroker.certificate("ca")
        try await issue("\(folder)/between", by: authority, "basicConstraints=critical,CA:TRUE")
        try await issue("\(folder)/leaf", by: "\(folder)/between", "subjectAltName=IP:127.0.0.1")
        try await body(folder)
    }

    /// Makes a key, and a certificate with an extension.
    private func issue(_ path: String, by issuer: String, _ extensions: String) async throws {
        try extensions.write(toFile: "\(path).ext", atomically: true, encoding: .utf8)
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(path).key"]
        try await openssl(["req", "-new", "-batch", "-subj", "/CN=test", "-out", "\(path).csr"] + key)
        let signing = ["-CA", "\(issuer).pem", "-CAkey", "\(issuer).key", "-set_serial", "7", "-days", "2"]
        try await openssl(
            ["x509", "-req", "-in", "\(path).csr", "-extfile", "\(path).ext", "-out", "\(path).pem"] + signing
        )
    }

    private func openssl(_ arguments: [String]) async throws {
        _ = try await Subprocess.run("/usr/bin/env", ["openssl"] + arguments)
    }

    @Test("is accepted up to the depth that is allowed")
    func depth() async throws {
        try await withChain { folder in
            let chain = ["-cert_chain", "\(folder)/between.pem"]
            try await TLSServer.run(showing: "\(folder)/leaf", chain) { port in
                var tls = try TestBroker.tls
                for (depth, isAccepted) in [(nil, true), (1, true), (0, false)] as [(Int?, Bool)] {
                    tls.verificationDepth = depth
                    var configuration = ConnectionConfiguration(host: "127.0.0.1", port: port, tls: tls)
                    configuration.connectTimeout = .seconds(1)
                    // After the handshake this server says nothing.
                    let error = try await connectionError(configuration)
                    #expect(error.code == (isAccepted ? .timedOut : .tlsFailed), "\(error)")
                    #expect((error.underlying as? TLSFailure)?.step == (isAccepted ? nil : .serverVerification))
                }
            }
        }
    }
}

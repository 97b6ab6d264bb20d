import RabbitMQ
import TestSupport
import Testing

@Suite("A server's certificate with an authority in between", .needsBrokerScript, .timeLimit(.minutes(1)))
struct CertificateChainTests {
    @Test("is accepted up to the depth that is allowed")
    func depth() async throws {
        let certificates = try TestCertificates()
        try await certificates.issue("between", .authority, by: TestBroker.certificate("ca"))
        try await certificates.issue("leaf", .server, by: "between", for: "IP:127.0.0.1")
        let chain = ["-cert_chain", certificates.path("between.pem")]
        try await TLSServer.run(showing: certificates.path("leaf"), chain) { port in
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

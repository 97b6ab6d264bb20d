import RabbitMQ
import TestSupport
import Testing

@Suite("A certificate that is for other names", .timeLimit(.minutes(1)))
struct CertificateNameTests {
    /// Shows a certificate of the broker's authority with alternative names, and gives the error of a client of 127.0.0.1.
    private func error(showing names: String, as serverName: String? = nil) async throws -> AMQPError {
        let certificates = try TestCertificates()
        try await certificates.issue("server", .server, by: TestBroker.certificate("ca"), for: names)
        return try await TLSServer.run(showing: certificates.path("server")) { port in
            var tls = try TestBroker.tls
            tls.serverName = serverName
            return try await connectionError(ConnectionConfiguration(host: "127.0.0.1", port: port, tls: tls))
        }
    }

    @Test("says of each name what kind it is, and that an address as a DNS name does not count")
    func address() async throws {
        let error = try await error(showing: "DNS:127.0.0.1")
        #expect(error.message.contains("is not for 127.0.0.1: it is for DNS name 127.0.0.1; an address"), "\(error)")
        #expect((error.underlying as? TLSFailure)?.reason == .nameMismatch)
        #expect((error.underlying as? TLSFailure)?.offeredNames == ["127.0.0.1"])
    }

    @Test("says so of names of all kinds")
    func kinds() async throws {
        let names = "DNS:localhost,IP:10.0.0.1,email:a@example.org,URI:amqps://127.0.0.1"
        let message = try await error(showing: names).message
        let list = "DNS name localhost, address 10.0.0.1, e-mail address a@example.org, URI amqps://127.0.0.1"
        #expect(message.hasSuffix("is not for 127.0.0.1: it is for \(list)"), "\(message)")
        let other = try await error(showing: "IP:127.0.0.1", as: "localhost").message
        #expect(other.hasSuffix("is not for localhost: it is for address 127.0.0.1"), "\(other)")
    }
}

import RabbitMQ
import TestSupport
import Testing

/// With a broker of its own, whose certificates are the test's.
@Suite("certificates that are replaced while the broker runs", .needsBrokerScript, .timeLimit(.minutes(5)))
struct ReplacedCertificatesTests {
    /// Two authorities, each with a server's certificate.
    private static func make() async throws -> TestCertificates {
        let certificates = try TestCertificates()
        for name in ["first", "second"] {
            try await certificates.issue("\(name)-ca", .authority)
            try await certificates.issue("\(name)-server", .server, by: "\(name)-ca", for: "IP:127.0.0.1")
        }
        return certificates
    }

    /// Puts one of them where the broker reads it, and its authority where clients do.
    private static func show(_ name: String, in certificates: TestCertificates) throws {
        for file in ["ca.pem", "server.pem", "server.key"] {
            try certificates.write(try certificates.text("\(name)-\(file)"), to: file)
        }
        try certificates.write(try certificates.text("\(name)-ca.pem"), to: "trusted.pem")
    }

    @Test func `who is connected stays, and comes back if the new authority is in the file, which is read anew`()
        async throws
    {
        let certificates = try await Self.make()
        try Self.show("first", in: certificates)
        // Of lines with the same name the last one counts, and these come behind the script's.
        let settings = """
            ssl_options.cacertfile = \(certificates.path("ca.pem"))
            ssl_options.certfile = \(certificates.path("server.pem"))
            ssl_options.keyfile = \(certificates.path("server.key"))

            """
        let broker = try OwnBroker(.certificates)
        try await broker.run(settings: settings) {
            let port = try await broker.tlsPort
            let file = ConnectionConfiguration.TLS(trustRoots: [.file(certificates.path("trusted.pem"))])
            let first = Array(try certificates.text("first-ca.pem").utf8)
            let bytes = ConnectionConfiguration.TLS(trustRoots: [.bytes(first)])
            try await RecoveringClient.run(on: broker, to: port, { $0.tls = file }) { reading in
                try await RecoveringClient.run(on: broker, to: port, { $0.tls = bytes }) { keeping in
                    let queue = try await reading.connection.openChannel().declareQueue(exclusive: true)
                    let channel = try await keeping.connection.openChannel()
                    try Self.show("second", in: certificates)
                    // Else Erlang looks only every two minutes whether files have changed.
                    try await broker.rabbitmqctl("eval", "ssl:clear_pem_cache().")
                    try await channel.setQos(prefetchCount: 1)
                    try await queue.publish(Message("before"))
                    #expect(try await queue.next().text() == "before")
                    // The new certificate is shown, and nobody who trusts the old authority alone takes it.
                    keeping.proxy.cut()
                    try await eventually("it is refused", within: .seconds(60)) {
                        keeping.connection.health.lastError?.code == .tlsFailed
                    }
                    let refused = try #require(keeping.connection.health.lastError)
                    #expect((refused.underlying as? TLSFailure)?.step == .serverVerification, "\(refused)")
                    // A file that is not whole yet, at the moment of a try.
                    try certificates.write("-----BEGIN CERTIFICATE-----\n", to: "trusted.pem")
                    reading.proxy.cut()
                    try await eventually("the file can't be read", within: .seconds(60)) {
                        reading.connection.health.lastError?.code == .invalidArgument
                    }
                    try Self.show("second", in: certificates)
                    try await reading.recovered(after: 0)
                    try await queue.publish(Message("after"))
                    #expect(try await queue.next().text() == "after")
                    #expect(keeping.connection.state == .recovering && keeping.reports.isEmpty)
                }
            }
        }
    }
}

import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("rmq doctor", .needsTool, .timeLimit(.minutes(3)))
struct DoctorToolTests {
    /// What is broken, which step must fail, and a piece of the cause.
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let step: String
        let says: String
        var arguments: [String] = []
        /// Lends the URI of a broken set-up.
        let uri: @Sendable (_ body: (String) async throws -> Void) async throws -> Void

        init(
            _ description: String,
            _ step: String,
            _ says: String,
            _ arguments: [String] = [],
            uri: @escaping @Sendable (_ body: (String) async throws -> Void) async throws -> Void
        ) {
            testDescription = description
            self.step = step
            self.says = says
            self.arguments = arguments
            self.uri = uri
        }

        /// A listener that is no broker.
        static func rude(
            _ description: String,
            _ manner: RudeListener.Manner,
            _ step: String,
            _ says: String,
            scheme: String = "amqp"
        ) -> Fault {
            Fault(description, step, says) { body in
                try await RudeListener.run(manner) { try await body("\(scheme)://127.0.0.1:\($0.port)") }
            }
        }
    }

    struct Examination: Decodable {
        struct Step: Decodable {
            var step: String
            var status: String
            var milliseconds: Double?
            var found: String
            var cause: String?
            var cure: String?
        }

        var ok: Bool
        var failed: String?
        var steps: [Step]
        var versions: [String: String]
    }

    private func examine(_ uri: String, _ arguments: [String] = []) async throws -> Examination {
        let outcome = try await ToolProcess.run(["doctor", "--json", "--uri", uri] + arguments)
        let result = try #require(
            try? JSONDecoder().decode(Examination.self, from: Data(outcome.output.utf8)),
            "\(outcome)"
        )
        #expect(outcome.hasExited && outcome.status == (result.ok ? 0 : 1), "\(outcome)")
        #expect(!outcome.output.contains("secret-word") && !outcome.error.contains("secret-word"))
        return result
    }

    /// Whether exactly that step fails, as the last one, with a cause and a cure.
    private func expect(_ result: Examination, fails step: String, _ says: String) {
        #expect(result.failed == step, "\(result)")
        let failed = result.steps.first { $0.status == "failed" }
        #expect(failed?.cause?.contains(says) == true, "\(result)")
        #expect(failed?.cure?.isEmpty == false, "\(result)")
    }

    private static let http = Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8)

    static let faults: [Fault] = [
        Fault("a name that doesn't resolve", "name lookup", "the name") { body in
            try await body("amqp://no-such-host.invalid")
        },
        .rude("a closed port", .refuses, "TCP", "nothing listens"),
        .rude("a silent port", .silent, "AMQP", "says nothing"),
        .rude("a web server", .says(http), "AMQP", "a web server"),
        .rude("a port that hangs up", .closes, "AMQP", "no broker"),
        .rude("a port that resets", .resets, "AMQP", "no broker"),
        .rude("a mail server", .says(Array("220 mail.example ESMTP\r\n".utf8)), "AMQP", "no broker"),
        .rude("another version of AMQP", .says(Array("AMQP".utf8) + [0, 1, 0, 0]), "AMQP", "another version"),
        .rude("TLS to a silent port", .silent, "TLS", "says nothing", scheme: "amqps"),
        .rude("TLS to a web server", .says(http), "TLS", "not one for TLS", scheme: "amqps"),
        .rude("TLS to a port that hangs up", .closes, "TLS", "hangs up", scheme: "amqps"),
    ]

    @Test("names the step that fails", arguments: faults)
    func network(fault: Fault) async throws {
        try await fault.uri { uri in
            expect(try await examine(uri, ["--timeout", "700ms"]), fails: fault.step, fault.says)
        }
    }

    static let withCertificates: [Fault] = [
        Fault("TLS to RabbitMQ's port without TLS", "TLS", "not one for TLS") { body in
            try await body("amqps://127.0.0.1:\(TestBroker.plainPort)")
        },
        Fault("no TLS to RabbitMQ's port for TLS", "AMQP", "the port is one for TLS") { body in
            try await body("amqp://127.0.0.1:\(TestBroker.tlsPort)")
        },
        Fault("an authority that is not trusted", "TLS", "does not trust") { body in
            try await body("amqps://127.0.0.1:\(TestBroker.tlsPort)")
        },
        tls("a certificate for another name", showing: "wrong-name", "for other names"),
        tls("a certificate that has ended", showing: "expired", "has ended"),
        tls("a certificate of an authority nobody trusts", showing: "untrusted-server", "does not trust"),
        tls(
            "a server that wants a certificate",
            showing: "server",
            "wants a certificate",
            ["-Verify", "1", "-verify_return_error", "-CAfile", (try? TestBroker.variable("RABBITMQ_TEST_CA")) ?? ""]
        ),
        Fault("authorities that are none", "TLS", "no certificate in PEM") { body in
            try await body(
                "amqps://127.0.0.1:\(TestBroker.tlsPort)?cacertfile=\(TestBroker.certificate("server.key"))"
            )
        },
        Fault("a user without a certificate who logs in by it", "login", "is wrong") { body in
            let ca = try TestBroker.variable("RABBITMQ_TEST_CA")
            try await body("amqps://127.0.0.1:\(TestBroker.tlsPort)?cacertfile=\(ca)&auth_mechanism=EXTERNAL")
        },
    ]

    private static func tls(
        _ description: String,
        showing certificate: String,
        _ says: String,
        _ arguments: [String] = []
    ) -> Fault {
        Fault(description, "TLS", says) { body in
            let ca = try TestBroker.variable("RABBITMQ_TEST_CA")
            try await TLSServer.run(showing: certificate, arguments) { port in
                try await body("amqps://127.0.0.1:\(port)?cacertfile=\(ca)")
            }
        }
    }

    @Test("names what is wrong with TLS", .needsBrokerScript, arguments: withCertificates)
    func encrypted(fault: Fault) async throws {
        try await fault.uri { uri in
            expect(try await examine(uri, ["--timeout", "3s"]), fails: fault.step, fault.says)
        }
    }

    @Test("names what a user lacks", .needsBrokerScript, .needsRabbitmqctl)
    func users() async throws {
        let base = TestBroker.uniqueName("doctor")
        func user(_ name: String) -> String { "\(base).\(name)" }
        let permissions = [
            ("configure", "^$", ".*", ".*"), ("write", ".*", "^$", ".*"), ("read", ".*", ".*", "^$"),
            ("prefixed", "^orders\\\\.", "^(orders\\\\.|amq.default)", "^orders\\\\."), ("crowded", ".*", ".*", ".*"),
            ("channels", ".*", ".*", ".*"),
        ]
        let tuples = permissions.map { #"{<<"\#(user($0))">>,<<"\#($1)">>,<<"\#($2)">>,<<"\#($3)">>}"# }
        let M = "rabbit_auth_backend_internal"
        try await Subprocess.rabbitmqctl(
            "eval",
            """
            A = <<"test">>,
            [begin \(M):add_user(U, <<"secret-word">>, A), \(M):set_permissions(U, <<"/">>, C, W, R, A) end
             || {U, C, W, R} <- [\(tuples.joined(separator: ","))]],
            \(M):add_user(<<"\(user("stranger"))">>, <<"secret-word">>, A),
            \(M):set_user_limits(<<"\(user("crowded"))">>, <<"{\\"max-connections\\":0}">>, A),
            \(M):set_user_limits(<<"\(user("channels"))">>, <<"{\\"max-channels\\":0}">>, A).
            """
        )
        let faults = [
            ("configure", "", "configure permission", "does not cover"),
            ("write", "", "write permission", "does not cover"),
            ("read", "", "read permission", "does not cover"), ("stranger", "", "virtual host", "no permissions"),
            ("crowded", "", "virtual host", "as many connections"), ("channels", "", "channel", "as many channels"),
            ("nobody", "", "login", "the name or the password"),
            ("read", "/nowhere", "virtual host", "no such virtual host"),
            ("prefixed", "", "configure permission", "does not cover"),
        ]
        let place = "127.0.0.1:\(try TestBroker.plainPort)"
        for (name, vhost, step, says) in faults {
            expect(try await examine("amqp://\(user(name)):secret-word@\(place)\(vhost)"), fails: step, says)
        }
        expect(
            try await examine("amqp://\(user("read")):wrong@\(place)"),
            fails: "login",
            "the name or the password"
        )
        let well = try await examine("amqp://\(user("prefixed")):secret-word@\(place)", ["--prefix", "orders."])
        #expect(well.ok, "\(well)")
        let users = (permissions.map(\.0) + ["stranger"]).map { #"<<"\#(user($0))">>"# }
        try await Subprocess.rabbitmqctl(
            "eval",
            #"[\#(M):delete_user(U, <<"test">>) || U <- [\#(users.joined(separator: ","))]]."#
        )
    }

    @Test("finds nothing wrong, step by step and in time, and leaves nothing behind", .needsBrokerScript)
    func well() async throws {
        let ca = try TestBroker.variable("RABBITMQ_TEST_CA")
        let prefix = TestBroker.uniqueName("doctor") + "."
        for uri in [
            try TestBroker.uri, "amqps://guest:guest@localhost:\(try TestBroker.tlsPort)?cacertfile=\(ca)",
        ] {
            let result = try await examine(uri, ["--prefix", prefix])
            #expect(result.ok && result.failed == nil, "\(result)")
            let steps = result.steps.map(\.step)
            #expect(
                steps == [
                    "libraries", "name lookup", "TCP", "TLS", "AMQP", "login", "virtual host", "agreed", "channel",
                    "configure permission", "write permission", "read permission", "confirm round trip", "alarms",
                    "clock", "versions", "advisories",
                ]
            )
            #expect(result.versions["librabbitmq"] == LinkedLibraries.librabbitmq, "\(result)")
            #expect(result.versions["openssl"] == LinkedLibraries.openSSL, "\(result)")
            #expect(result.versions["broker"]?.isEmpty == false, "\(result)")
            let timed = result.steps.filter { $0.milliseconds != nil }.map(\.step)
            #expect(Set(timed).isSuperset(of: ["name lookup", "TCP", "login", "channel", "confirm round trip"]))
            #expect(uri.hasPrefix("amqp:") || timed.contains("TLS"), "\(result)")
            #expect(result.steps.first { $0.step == "clock" }?.found.contains("as the broker's") == true, "\(result)")
        }
        let outcome = try await ToolProcess.run(["doctor"])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("Everything works."))
        #expect(!outcome.output.contains("\u{1B}["))
        let queues = try await Subprocess.rabbitmqctl("list_queues", "--silent", "name")
        #expect(!queues.contains(prefix))
    }
}

@Suite(
    "rmq doctor at a broker without memory",
    .needsTool,
    .needsBrokerScript,
    .timeLimit(.minutes(2)),
    .ownBroker(.doctor, settings: "vm_memory_high_watermark.absolute = 1MB\n")
)
struct DoctorAlarmTests {
    @Test("names the alarm")
    func alarm() async throws {
        let port = try await #require(OwnBroker.current).configuration.port
        let outcome = try await ToolProcess.run(["doctor", "--uri", "amqp://127.0.0.1:\(port)", "--timeout", "2s"])
        #expect(outcome.status == 1, "\(outcome)")
        #expect(outcome.output.contains("the broker blocks publishers: low on memory"), "\(outcome)")
        #expect(outcome.output.contains("The step 'alarms' failed."), "\(outcome)")
    }
}

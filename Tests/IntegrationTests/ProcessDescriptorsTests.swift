import TestSupport
import Testing

@Suite("A process and its descriptors", .timeLimit(.minutes(2)))
struct ProcessDescriptorsTests {
    @Test(
        "where few are left goes on publishing on the connection that it has, and gets an error for another",
        arguments: 0...9
    )
    func later(free: Int) async throws {
        let result = try await Subprocess.probe(
            "DescriptorProbe",
            "later",
            "\(free)",
            try TestBroker.host,
            "\(try TestBroker.plainPort)"
        )
        #expect(
            result.hasPrefix(free < 8 ? "published, then connectionFailed" : "published, then connected"),
            "\(result)"
        )
    }

    @Test("leaves none of them to programs that it starts")
    func inherited() async throws {
        let result = try await Subprocess.probe(
            "DescriptorProbe",
            "inherited",
            try TestBroker.host,
            "\(try TestBroker.plainPort)",
            "\(try TestBroker.tlsPort)",
            try TestBroker.variable("RABBITMQ_TEST_CA")
        )
        #expect(result == "[]\n[]\n")
    }
}

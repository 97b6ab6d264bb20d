import Foundation
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

    @Test("forks and starts a program, which has none of them, and has a child that ends: the connection goes on")
    func forked() async throws {
        let result = try await Subprocess.probe(
            "DescriptorProbe",
            "forked",
            try TestBroker.host,
            "\(try TestBroker.plainPort)"
        )
        let parts = result.components(separatedBy: "--\n")
        #expect(parts.count == 3, "\(result)")
        // It did list them.
        let listed = parts.first?.components(separatedBy: "\n") ?? []
        #expect(Set(listed).isSuperset(of: ["0", "1", "2"]), "\(result)")
        #expect(parts.first == parts.dropFirst().first, "\(result)")
        #expect(parts.last == "goes on: true\n", "\(result)")
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

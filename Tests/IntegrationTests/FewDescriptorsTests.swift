import TestSupport
import Testing

@Suite("A process that has few descriptors left", .timeLimit(.minutes(2)))
struct FewDescriptorsTests {
    @Test("goes on publishing on the connection that it has, and gets an error for another", arguments: 0...9)
    func later(free: Int) async throws {
        let result = try await Subprocess.probe(
            "DescriptorProbe",
            "\(free)",
            try TestBroker.host,
            "\(try TestBroker.plainPort)",
            "later"
        )
        #expect(
            result.hasPrefix(free < 8 ? "published, then connectionFailed" : "published, then connected"),
            "\(result)"
        )
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a process that has few descriptors left", .timeLimit(.minutes(2)))
struct FewDescriptorsTests {
    @Test(arguments: 0...12)
    func `danger: connecting for the first time gives an error, or connects, and never crashes`(free: Int) async throws
    {
        try await RudeListener.run(.closes) { listener in
            let result = try await Subprocess.probe(
                "DescriptorProbe",
                "first",
                "\(free)",
                "127.0.0.1",
                "\(listener.port)"
            )
            let isEnough = free >= DescriptorReserve.least
            #expect(result.hasPrefix(isEnough ? "connectionLost" : "connectionFailed"), "\(result)")
            #expect(result.contains("free descriptors") == !isEnough, "\(result)")
        }
    }
}

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

    @Test(arguments: [20, 12, 9])
    func `danger: many that connect at once leave some free`(free: Int) async throws {
        try await RudeListener.run(.silent) { listener in
            let result = try await Subprocess.probe(
                "DescriptorProbe",
                "many",
                "\(free)",
                "30",
                "127.0.0.1",
                "\(listener.port)"
            )
            let left = try #require(Int(result.prefix { $0.isNumber }), "\(result)")
            // Another may have tried when the last but one failed.
            #expect(left >= 2, "\(result)")
        }
    }
}

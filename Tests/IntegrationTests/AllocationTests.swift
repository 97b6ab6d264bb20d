import Foundation
import TestSupport
import Testing

/// Guards what makes the library cheap: counts, which don't depend on the machine's load.
@Suite("Heap allocations", .timeLimit(.minutes(1)))
struct AllocationTests {
    @Test("a publish allocates nothing in the long run, a delivery a small fixed number")
    func counts() async throws {
        let products = Bundle.main.executableURL?.deletingLastPathComponent() ?? URL(filePath: ".")
        let probe = products.appending(path: "AllocationProbe")
        try #require(FileManager.default.isExecutableFile(atPath: probe.path), "AllocationProbe was not built")
        let result = try await Subprocess.run(probe.path, [try TestBroker.uri])
        let words = result.split(whereSeparator: \.isWhitespace)
        try #require(words.count == 4, "\(result)")
        let perPublish = try #require(Double(words[1]))
        let perDelivery = try #require(Double(words[3]))
        // What remains of a publish are flushes, each for many messages: 0.02, and more where the machine is so busy that each
        // is for a few. Builds for debugging allocate more for a
        // delivery than its body and what keeps it: 3.6, where optimized ones take 1.2.
        #expect(perPublish < 0.9)
        #expect(perDelivery < 5)
    }
}

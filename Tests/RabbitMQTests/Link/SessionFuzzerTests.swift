import TestSupport
import Testing

@Suite("brokers that break the protocol", .timeLimit(.minutes(2)))
struct SessionFuzzerTests {
    /// `scripts/soak.sh --sessions` runs as many as one likes. In a process of its own, so that a crash has a name.
    @Test func `two thousand sessions at random: each await ends, each message has its outcome, nothing is left`()
        async throws
    {
        let count = ProcessMeasure.isSanitized ? 200 : 2000
        // Beside other tests a client takes longer.
        let output = try await Subprocess.probe(
            "SessionFuzzer",
            "--sessions",
            "\(count)",
            "--seed",
            "17",
            "--idle",
            "20"
        )
        #expect(output.contains("failures: 0"), "\(output)")
    }
}

#if Tool
import Testing

/// `ClockDifference.swift` is a link to the tool's, which tests can't import.
@Suite("The difference of two clocks")
struct ClockDifferenceTests {
    @Test(
        arguments: [
            (100, nil), (102, nil), (98, nil), (111, "10 s ahead"), (90, "10 s behind"), (0, "100 s behind"),
            (18_446_744_073_709_551_616, "an age ahead"), (-1e300, "an age behind"), (.infinity, "an age ahead"),
            (.nan, nil),
        ] as [(Double, String?)]
    )
    func `is told whatever the broker's clock shows`(time: Double, text: String?) {
        #expect(ClockDifference(broker: time, between: 100, and: 101).text == text)
    }
}
#endif

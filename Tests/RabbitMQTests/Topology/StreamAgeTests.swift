import Testing

@testable import RabbitMQ

@Suite("the ages of a stream's messages")
struct StreamAgeTests {
    private static let ages: [(Duration, String)] = [
        (.seconds(1), "1s"), (.seconds(59), "59s"), (.seconds(60), "1m"), (.seconds(90), "90s"), (.seconds(3600), "1h"),
        (.seconds(5400), "90m"), (.seconds(86_400), "1D"), (.seconds(86_400 * 365), "365D"), (.seconds(90_000), "25h"),
    ]

    @Test(arguments: ages)
    func `are whole numbers of the largest unit that fits, and are read back`(age: Duration, text: String) {
        #expect(StreamAge.text(age) == text)
        #expect(StreamAge.duration(text) == age)
    }

    @Test(arguments: [(1, "1s"), (1000, "1s"), (1001, "2s"), (59_001, "1m")])
    func `parts of a second count as a whole one`(milliseconds: Int, text: String) {
        #expect(StreamAge.text(.milliseconds(milliseconds)) == text)
    }

    @Test(arguments: [
        "", "s", "1", "-1s", "0s", "1.5h", "1Y", "1M", "60s", "24h", "01s", " 1s", "99999999999999D", "+1s",
    ])
    func `what the library would not write is read as none`(text: String) {
        #expect(StreamAge.duration(text) == nil)
    }
}

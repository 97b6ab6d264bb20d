import Testing

@testable import RabbitMQ

@Suite("short strings")
struct ShortStringTests {
    @Test(
        "take as much of a text as fits, whatever its characters",
        arguments: [
            ("", 0), (String(repeating: "x", count: 255), 255), (String(repeating: "x", count: 256), 255),
            (String(repeating: "é", count: 200), 254), (String(repeating: "👋", count: 100), 252),
            ("e" + String(repeating: "\u{301}", count: 1000), 255),
        ]
    )
    func cut(text: String, count: Int) {
        let cut = ShortString.cut(text)
        #expect(cut.utf8.count == count)
        #expect(text.utf8.starts(with: cut.utf8))
    }
}

import Testing

@testable import RabbitMQ

@Suite("What the text of a broker's error names") struct BrokerTextTests {
    @Test(arguments: ["x", "\u{E4}", "\u{6F22}", "\u{1F407}"])
    func `is found whole, or by its beginning where the broker has cut the text`(letter: String) {
        let long = String(repeating: letter, count: 240 / letter.utf8.count)
        for (name, other) in [(letter, "o"), (long, "o\(long.dropFirst())")] {
            let whole = "NOT_FOUND - no exchange '\(name)' in vhost '/'"
            let text = String(decoding: whole.utf8.prefix(252), as: UTF8.self) + "..."
            #expect(text.names("no exchange", name))
            #expect(!text.names("no exchange", other) && !text.names("no queue", name))
        }
    }

    @Test func `is not a longer name`() {
        #expect(!"NOT_FOUND - no exchange 'orders' in vhost '/'".names("no exchange", "order"))
    }
}

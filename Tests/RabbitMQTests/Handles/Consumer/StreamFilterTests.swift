import Testing

@testable import RabbitMQ

@Suite("Stream filters")
struct StreamFilterTests {
    private func message(_ value: String?) -> Message {
        var message = Message(body: [])
        message.streamFilterValue = value
        return message
    }

    @Test("match messages with one of their values")
    func values() {
        let filter = StreamFilter("eu", "us")
        #expect(filter.matches(message("eu")))
        #expect(filter.matches(message("us")))
        #expect(!filter.matches(message("asia")))
        #expect(!filter.matches(message("EU")))
        #expect(!filter.matches(message(nil)))
        #expect(!filter.matches(message("")))
        #expect(!StreamFilter().matches(message("eu")))
    }

    @Test("match messages without a value if they are told to; an empty value is none")
    func unfiltered() {
        for filter in [StreamFilter("eu", matchUnfiltered: true), StreamFilter("eu", "")] {
            #expect(filter.matches(message("eu")))
            #expect(filter.matches(message(nil)))
            #expect(filter.matches(message("")))
            #expect(!filter.matches(message("us")))
        }
    }

    @Test("a message's value is a header, which leaves the others alone")
    func header() {
        var message = Message(body: [], headers: ["other": 1])
        message.streamFilterValue = "eu"
        #expect(message.headers == ["other": 1, "x-stream-filter-value": "eu"])
        #expect(message.streamFilterValue == "eu")
        message.streamFilterValue = nil
        #expect(message.headers == ["other": 1])
        #expect(self.message(nil).headers == nil)
        #expect(Message(body: [], headers: ["x-stream-filter-value": 7]).streamFilterValue == nil)
    }

    @Test(
        "a value that is no text is refused: a stream's broker closes the connection for it",
        arguments: [.int64(7), .void, .bool(true), .bytes([97]), .array(["a"]), .table(["a": 1]), .timestamp(1)]
            as [FieldValue]
    )
    func notText(value: FieldValue) {
        let error = #expect(throws: AMQPError.self) {
            try Message(body: [], headers: ["x-stream-filter-value": value]).validate()
        }
        #expect(error?.code == .invalidMessage)
        #expect(error?.message == "headers have x-stream-filter-value as something else than text")
    }

    @Test("text is not, nor what has the name inside another table, or a name as long")
    func text() throws {
        try message("eu").validate()
        try message("").validate()
        try message(String(repeating: "x", count: 10_000)).validate()
        try Message(body: [], headers: ["a": .table(["x-stream-filter-value": 7])]).validate()
        try Message(body: [], headers: ["x-stream-filter-valuX": 7]).validate()
    }
}

import Testing

@testable import RabbitMQ

@Suite("the tags of a channel's consumers")
struct ConsumerTagsTests {
    private var tags = ConsumerTags()

    @Test mutating func `one is taken until it is removed`() throws {
        try tags.add(Consumer.madeUpTag + "1")
        #expect(!tags.hasGiven && !tags.isEmpty)
        try tags.add("given")
        #expect(tags.hasGiven && tags.contains("given"))
        let taken = tags
        func addAgain() throws {
            var tags = taken
            try tags.add("given")
        }
        let error = #expect(throws: AMQPError.self) { try addAgain() }
        #expect(error?.code == .invalidArgument)
        tags.remove("given")
        try tags.add("given")
    }
}

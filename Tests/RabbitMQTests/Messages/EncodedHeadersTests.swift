import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("headers that came encoded")
struct EncodedHeadersTests {
    private func received(_ message: Message, corrupt: (inout [UInt8]) -> Void = { _ in }) throws -> Message {
        let buffer = OutboundBuffer()
        try buffer.appendPublish(
            message,
            exchange: "",
            routingKey: "",
            mandatory: false,
            channel: 1,
            frameMax: 131_072,
            pool: Pool(),
            template: PublishTemplate()
        )
        var payload = try frames(in: drained(buffer))[1].payload
        corrupt(&payload)
        var decoder = HeaderDecoder()
        return try payload.withUnsafeBytes { try decoder.header($0).message }
    }

    private var sent: Message {
        Message(
            body: [],
            headers: ["a": 1, "nested": ["b": "c"]],
            contentType: "text/plain",
            contentEncoding: "utf-8",
            deliveryMode: .persistent,
            priority: 3,
            correlationID: "correlation",
            replyTo: "reply",
            expiration: "1000",
            messageID: "id",
            type: "type",
            appID: "app"
        )
    }

    @Test func `are decoded when they are read, and once`() {
        let count = Mutex(0)
        let headers = EncodedHeaders([0, 0, 0, 0]) { _ in
            count.withLock { $0 += 1 }
            return ["k": 1]
        }
        #expect(count.withLock { $0 } == 0)
        #expect(headers.table == ["k": 1])
        #expect(headers.table == ["k": 1])
        #expect(count.withLock { $0 } == 1)
    }

    @Test func `make a message that equals the one that was sent, and hashes alike`() throws {
        let message = try received(sent)
        #expect(message == sent)
        #expect(message.hashValue == sent.hashValue)
        #expect(message.headers == sent.headers)
    }

    @Test func `stay when another property changes, and can be changed`() throws {
        var message = try received(sent)
        message.messageID = "another"
        #expect(message.headers == sent.headers)
        #expect(message.correlationID == "correlation")
        message.headers?["a"] = 2
        #expect(message.headers == ["a": 2, "nested": ["b": "c"]])
        message.headers = nil
        #expect(message.headers == nil)
        #expect(message.messageID == "another")
    }

    @Test func `are sent on as they came`() throws {
        #expect(try received(received(sent)) == sent)
    }

    @Test func `that are empty are a table without entries`() throws {
        let message = try received(Message(body: [], headers: [:]))
        #expect(message.headers == [:])
    }

    @Test func `count in what a message takes`() throws {
        let text = String(repeating: "x", count: 1000)
        let message = try received(Message(body: [], headers: ["k": .string(text)]))
        #expect(message.footprint > 1000)
    }

    @Test func `whose table is cut are refused when they come, before anybody reads them`() {
        #expect(throws: AMQPError.self) { try received(sent) { $0.removeLast(70) } }
    }
}

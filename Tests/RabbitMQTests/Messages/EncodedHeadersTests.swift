import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("headers that came encoded")
struct EncodedHeadersTests {
    /// The content header with which a message is sent.
    private func payload(of message: Message) throws -> [UInt8] {
        let buffer = OutboundBuffer()
        try buffer.appendMessage(message)
        return try frames(in: drained(buffer))[1].payload
    }

    private func received(_ message: Message, corrupt: (inout [UInt8]) -> Void = { _ in }) throws -> Message {
        var payload = try payload(of: message)
        corrupt(&payload)
        var decoder = HeaderDecoder()
        return try payload.withUnsafeBytes { try decoder.header($0).message }
    }

    /// A message that comes with such entries in its headers.
    private func received(headers entries: [UInt8]) throws -> Message {
        var properties = PeerWriter()
        properties.short(0x2000)
        properties.block(entries)
        let header = PeerFrame.header(channel: 1, bodySize: 0, properties: properties.bytes)
        var decoder = HeaderDecoder()
        return try header.payload.withUnsafeBytes { try decoder.header($0).message }
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
        let headers = EncodedHeaders([0, 0, 0, 0], CountedCoding.self)
        #expect(CountedCoding.count.withLock { $0 } == 0)
        #expect(headers.table == ["k": 1])
        #expect(headers.table == ["k": 1])
        #expect(CountedCoding.count.withLock { $0 } == 1)
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

    @Test func `are sent on byte for byte, text that is no UTF-8 and a key that comes twice too`() throws {
        let (text, void) = (UInt8(ascii: "S"), UInt8(ascii: "V"))
        let entries: [UInt8] = [1, 0x6B, text, 0, 0, 0, 2, 0xC3, 0x28, 1, 0x6B, void, 1, 0x6A, text, 0, 0, 0, 1, 0x41]
        var message = try received(headers: entries)
        try message.validate()
        #expect(try payload(of: message).suffix(entries.count) == entries[...])
        #expect(message.headers == ["k": .void, "j": "A"])
        #expect(try payload(of: message).suffix(entries.count) == entries[...])
        // Another property, before them and behind them.
        message.contentEncoding = "gzip"
        #expect(try payload(of: message).suffix(entries.count) == entries[...])
        message.appID = "a"
        #expect(try payload(of: message).dropLast(2).suffix(entries.count) == entries[...])
        message.headers?["j"] = nil
        #expect(try received(message).headers == ["k": .void])
    }

    @Test(
        arguments: [
            [1, 0x6B, UInt8(ascii: "f"), 0x7F, 0xC0, 0, 0], [1, 0x6B, UInt8(ascii: "d"), 0xFF, 0xF0, 0, 0, 0, 0, 0, 0],
            [1, 0x6B, UInt8(ascii: "A"), 0, 0, 0, 5, UInt8(ascii: "f"), 0xFF, 0x80, 0, 0],
            [21] + Array("x-stream-filter-value".utf8) + [0x62, 1],
        ] as [[UInt8]]
    )
    func `that a broker would close the connection over are refused when they are sent on`(entries: [UInt8]) throws {
        let message = try received(headers: entries)
        #expect { try message.validate() } throws: { AMQPError.Code.invalidMessage ~= $0 }
    }

    @Test(arguments: [true, false])
    func `that nest too deep are cut when they are read, and sent on as they came`(inArrays: Bool) throws {
        let entries = deepEntries(levels: 200, inArrays: inArrays)
        let message = try received(headers: entries)
        let shallow = try received(headers: deepEntries(levels: 31, inArrays: inArrays))
        #expect(message.headers?.isEmpty == false && message.headers == shallow.headers)
        try message.validate()
        #expect(try payload(of: message).suffix(entries.count) == entries[...])
    }

    @Test func `with large numbers, or the text that streams filter by, are sent on`() throws {
        let headers: FieldTable = [
            "f": .float(.greatestFiniteMagnitude), "d": .double(-.greatestFiniteMagnitude),
            "x-stream-filter-value": "eu", "nested": ["x-stream-filter-value": 1],
        ]
        let message = try received(Message(body: [], headers: headers))
        #expect(message.extras?.sendableHeaders != nil)
        try message.validate()
        #expect(try received(message).headers == headers)
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

    @Test func `count with each of their values, which may be of one byte`() throws {
        let voids = [UInt8](repeating: UInt8(ascii: "V"), count: 2560)
        let message = try received(headers: [1, 0x6B, UInt8(ascii: "A"), 0, 0, 0x0A, 0] + voids)
        #expect(message.footprint > 2560 * MemoryLayout<FieldValue>.stride)
        #expect(message.headers == ["k": .array([FieldValue](repeating: .void, count: 2560))])
    }

    @Test func `whose table is cut are refused when they come, before anybody reads them`() {
        #expect(throws: AMQPError.self) { try received(sent) { $0.removeLast(70) } }
    }
}

/// Counts how often all are decoded.
private enum CountedCoding: HeaderCoding {
    static let count = Mutex(0)

    static func table(_ bytes: [UInt8], isTooDeep: Bool) -> FieldTable {
        count.withLock { $0 += 1 }
        return ["k": 1]
    }

    static func search(_ bytes: [UInt8], for name: String, isTooDeep: Bool) -> FoundHeader { .unclear }
}

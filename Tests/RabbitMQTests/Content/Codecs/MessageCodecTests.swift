import Testing

@testable import RabbitMQ

@Suite("Formats of one's own")
struct MessageCodecTests {
    private struct Point: Codable, Equatable, Sendable {
        var x: Int
        var y: Int
    }

    /// A format for what is not `Codable`: two bytes.
    private struct Pair: Equatable, Sendable {
        var left: UInt8
        var right: UInt8
    }

    private struct PairCodec: MessageEncoder, MessageDecoder {
        struct Malformed: Error {}

        let contentType = "application/x-pair"

        func encode(_ value: Pair) throws -> [UInt8] {
            guard value.left != 255 else { throw Malformed() }
            return [value.left, value.right]
        }

        func decode(_ message: Message) throws -> Pair {
            guard message.body.count == 2 else { throw Malformed() }
            return Pair(left: message.body[0], right: message.body[1])
        }
    }

    @Test func `JSON is one of them, with the same bytes and properties as without`() throws {
        let point = Point(x: 1, y: -2)
        let message = try Message(encoding: point, using: JSONCodec(), timestamp: nil, type: "point")
        var other = try Message(encoding: point, timestamp: nil, type: "point")
        // Members of an object are in no order.
        #expect(other.body.sorted() == message.body.sorted())
        other.body = message.body
        #expect(message == other)
        #expect(try message.decode(using: JSONCodec<Point>()) == point)
    }

    @Test func `a format says what its bodies are, and its errors are those of coding`() throws {
        let message = try Message(encoding: Pair(left: 1, right: 2), using: PairCodec(), messageID: "17")
        #expect(message.body == [1, 2] && message.contentType == "application/x-pair" && message.messageID == "17")
        #expect(message.contentEncoding == nil)
        #expect(try message.decode(using: PairCodec()) == Pair(left: 1, right: 2))
        let encoding = #expect(throws: AMQPError.self) {
            try Message(encoding: Pair(left: 255, right: 2), using: PairCodec())
        }
        #expect(encoding?.code == .encodingFailed && encoding?.underlying is PairCodec.Malformed)
        let decoding = #expect(throws: AMQPError.self) { try Message(body: [1]).decode(using: PairCodec()) }
        #expect(decoding?.code == .decodingFailed && decoding?.underlying is PairCodec.Malformed)
    }

    private enum Shape: Equatable, Sendable {
        case point(Point), pair(Pair), other(String)
    }

    private struct TextDecoder: MessageDecoder {
        func decode(_ message: Message) throws -> Shape { .other(try message.text()) }
    }

    @Test func `the decoder is found by type and content type, the closest first`() throws {
        let shapes = MessageDecoders<Shape>()
            .adding(JSONCodec<Point>(), type: "point") { .point($0) }
            .adding(PairCodec(), type: "point", contentType: "application/x-pair") { .pair($0) }
            .adding(PairCodec(), contentType: "Application/X-Pair") { .pair($0) }
            .adding(TextDecoder(), contentType: "text/plain")
        func decode(_ body: [UInt8], _ type: String?, _ contentType: String?) throws -> Shape {
            var message = Message(body: body, type: type)
            message.contentType = contentType
            return try message.decode(using: shapes)
        }
        let point = Array(#"{"x":1,"y":2}"#.utf8)
        #expect(try decode(point, "point", nil) == .point(Point(x: 1, y: 2)))
        #expect(try decode(point, "point", "application/json") == .point(Point(x: 1, y: 2)))
        #expect(try decode([1, 2], "point", "application/x-pair") == .pair(Pair(left: 1, right: 2)))
        #expect(try decode([1, 2], "line", "APPLICATION/x-pair ; v=2") == .pair(Pair(left: 1, right: 2)))
        #expect(try decode([65], nil, "text/plain;charset=utf-8") == .other("A"))
        for (type, contentType) in [("line", nil), (nil, "image/png"), (nil, nil), ("", "")] as [(String?, String?)] {
            let error = #expect(throws: AMQPError.self) { try decode([], type, contentType) }
            #expect(error?.code == .decodingFailed)
        }
        let error = #expect(throws: AMQPError.self) { try decode([], "li\nne", "image/png") }
        #expect(error?.message == #"there is no decoder for the type "li\nne" and the content type "image/png""#)
        let all = shapes.adding(TextDecoder())
        #expect(try Message(body: [66], contentType: "image/png").decode(using: all) == .other("B"))
    }
}

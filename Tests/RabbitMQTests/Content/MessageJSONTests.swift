import Foundation
import Testing

@testable import RabbitMQ

@Suite struct MessageJSONTests {
    struct Order: Codable, Equatable {
        var id: Int
        var item: String
        var price: Double?
        var lines: [Line] = []

        struct Line: Codable, Equatable {
            var count: UInt64
        }
    }

    indirect enum Chain: Codable {
        case end
        case next(Chain)
    }

    static let order = Order(id: 17, item: "Möhren \"🥕\"\u{2028}\n", price: 0.1, lines: [.init(count: .max)])

    private func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    /// A chain of `links`, which takes two levels for each of them and two for its end.
    private func chained(_ links: Int) -> String {
        String(repeating: #"{"next":{"_0":"#, count: links) + #"{"end":{}}"# + String(repeating: "}}", count: links)
    }

    @Test func `a value is encoded as JSON with its content type`() throws {
        let message = try Message(encoding: Self.order, deliveryMode: .persistent)
        #expect(message.contentType == "application/json")
        #expect(message.contentEncoding == "utf-8")
        #expect(message.deliveryMode == .persistent)
        #expect(message.timestamp != nil)
        #expect(try message.decode(Order.self) == Self.order)
        let inferred: Order = try message.decode()
        #expect(inferred == Self.order)
    }

    @Test func `an explicit content type wins`() throws {
        #expect(try Message(encoding: 1, contentType: "a/b").contentType == "a/b")
        #expect(try Message(json: 1, contentType: "a/b").contentType == "a/b")
    }

    @Test(arguments: ["utf-16", "utf-16le", "utf-32be", "utf-8"])
    func `JSON goes through other encodings`(encoding: String) throws {
        let message = try Message(encoding: Self.order, contentEncoding: encoding)
        #expect(try message.decode(Order.self) == Self.order)
        #expect(try message.json()["id"] == 17)
    }

    @Test func `an encoding that lacks a character is an error, and so is an unknown one`() throws {
        for encoding in ["latin1", "nope"] {
            let error = #expect(throws: AMQPError.self) { try Message(json: ["日"], contentEncoding: encoding) }
            #expect(error?.code == .encodingFailed)
        }
        let gzip = Message(body: Array("1".utf8), contentEncoding: "gzip")
        let error = #expect(throws: AMQPError.self) { try gzip.json() }
        #expect(error?.code == .decodingFailed)
    }

    @Test func `settings of encoder and decoder count`() throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = .sortedKeys
        struct Value: Codable, Equatable {
            var longName = 1
        }
        let message = try Message(encoding: Value(), encoder: encoder)
        #expect(try message.text() == #"{"long_name":1}"#)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        #expect(try message.decode(Value.self, decoder: decoder) == Value())
        // They are those of the one who gave them.
        #expect(try Message(encoding: Value()).text() == #"{"longName":1}"#)
        #expect(throws: AMQPError.self) { try message.decode(Value.self) }
    }

    @Test func `many threads encode and decode at once`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for round in 0..<200 {
                        let order = Order(id: number, item: "\(round)", lines: [.init(count: UInt64(round))])
                        let message = try Message(encoding: order)
                        #expect(try message.decode(Order.self) == order)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `danger: a decoder that a value keeps can be read when the body is gone`() throws {
        struct Keeper: Decodable {
            let decoder: any Decoder

            init(from decoder: any Decoder) { self.decoder = decoder }
        }
        let text = String(repeating: "x", count: 10_000)
        func keeper() throws -> Keeper { try Message(encoding: [text]).decode() }
        let kept = try keeper()
        #expect(try [String](from: kept.decoder) == [text])
    }

    @Test func `danger: a caller's decoder may keep the bytes that it is given`() throws {
        final class Keeper: JSONDecoder, @unchecked Sendable {  // one thread has it
            var data = Data()

            override func decode<T: Decodable>(_ type: T.Type, from data: Data) throws -> T {
                self.data = data
                return try super.decode(type, from: data)
            }
        }
        let decoder = Keeper()
        let text = String(repeating: "x", count: 10_000)
        func decode() throws { _ = try Message(encoding: [text]).decode([String].self, decoder: decoder) }
        try decode()
        #expect(try JSONDecoder().decode([String].self, from: decoder.data) == [text])
    }

    @Test(
        arguments: [
            nil, true, false, 0, -1, .int(.max), .int(.min), .uint(.max), 1.5, -0.25, 1e300, "", "aé日🐇\"\\/\u{0}\n", [],
            [nil, [1, [2.5, "x"]], true], [:], ["a": ["b": nil, "": [1]], "ключ": "значение"],
        ] as [Message.JSON]
    )
    func `a JSON value comes back`(value: Message.JSON) throws {
        let message = try Message(json: value)
        #expect(message.contentType == "application/json")
        #expect(try message.json() == value)
    }

    @Test func `large integers are kept exactly`() throws {
        let body = Array("[9007199254740993,-9223372036854775808,18446744073709551615,123456789012345678901234]".utf8)
        let json = try Message(body: body).json()
        #expect(json[0] == .int(9_007_199_254_740_993))
        #expect(json[1] == .int(.min))
        #expect(json[2] == .uint(.max))
        #expect(json[3] == .number(1.2345678901234568e23))
        #expect(json[4] == nil)
        #expect(json[-1] == nil)
    }

    // Found by the fuzzer: 1.8184467444674406e+17 was read again as an integer, and as another one.
    @Test(arguments: [
        181_844_674_446_744_073.095572, -181_844_674_446_744_073.0, 0x1p53, 0x1p63, 0x1p64, 1e300, -0.0, 0.1, 1e-7,
    ])
    func `a number comes back as what it was`(number: Double) throws {
        let value = Message.JSON.number(number)
        #expect(try Message(json: value).json() == value)
        #expect(try Message(json: value).decode(Double.self) == number)
    }

    @Test func `numbers are equal by value`() {
        #expect(Message.JSON.int(1) == .number(1.0))
        #expect(Message.JSON.int(1) == .uint(1))
        #expect(Message.JSON.number(9_223_372_036_854_775_808) == .uint(9_223_372_036_854_775_808))
        #expect(Message.JSON.int(9_007_199_254_740_993) != .number(9_007_199_254_740_992))
        #expect(Message.JSON.number(.nan) != .number(.nan))
        #expect(Message.JSON.bool(true) != .int(1))
        #expect(Set<Message.JSON>([.int(1), .uint(1), .number(1), .number(1.5), "1", true]).count == 4)
    }

    @Test func `a JSON value answers for its type`() throws {
        let json = try Message(body: Array(#"{"a":[1,2.5,"x",true,null]}"#.utf8)).json()
        #expect(json["a"]?[0]?.intValue == 1)
        #expect(json["a"]?[1]?.doubleValue == 2.5)
        #expect(json["a"]?[1]?.intValue == nil)
        #expect(json["a"]?[2]?.stringValue == "x")
        #expect(json["a"]?[3]?.boolValue == true)
        #expect(json["a"]?[4]?.isNull == true)
        #expect(json["b"] == nil)
        #expect(json[0] == nil)
        let twice: Message.JSON = ["a": 1, "a": 2]
        #expect(twice["a"] == 2)
    }

    @Test(arguments: [
        "", " ", "{", "[1,", "nul", "{\"a\":}", "{a:1}", "[1] x", "\"\u{1}\"", "NaN", "1e999", "'a'",
    ])
    func `what is not JSON is an error`(text: String) {
        let error = #expect(throws: AMQPError.self) { try Message(body: Array(text.utf8)).json() }
        #expect(error?.code == .decodingFailed)
    }

    @Test(arguments: [[0xFF], [0x22, 0xC3, 0x22], [0x5B, 0, 0x5D, 0]] as [[UInt8]])
    func `bytes that are not UTF-8 JSON are an error`(bytes: [UInt8]) {
        let error = #expect(throws: AMQPError.self) { try Message(body: bytes).json() }
        #expect(error?.code == .decodingFailed)
    }

    @Test func `a number that is not finite is an error`() {
        for number in [Double.nan, .infinity] {
            let error = #expect(throws: AMQPError.self) { try Message(json: ["a": .number(number)]) }
            #expect(error?.code == .encodingFailed)
            #expect(error?.underlying is EncodingError)
        }
    }

    @Test(arguments: [
        (#"{"item":"hunter2"}"#, #"key "id" is missing"#), (#"{"id":"hunter2"}"#, #"expected Int at "id""#),
        (#"{"id":1,"item":null}"#, #"at "item""#),
        (#"{"id":1,"item":"a","lines":[{"count":1},{"count":"hunter2"}]}"#, #"at "lines[1].count""#),
    ])
    func `the wrong shape is an error that says where and quotes nothing`(text: String, place: String) {
        let error = #expect(throws: AMQPError.self) { try Message(body: Array(text.utf8)).decode(Order.self) }
        #expect(error?.code == .decodingFailed)
        #expect(error?.message.contains(place) == true, "\(error?.message ?? "")")
        #expect(error?.description.contains("hunter2") == false)
        #expect(error?.underlying is DecodingError)
    }

    @Test func `128 levels are taken and 129 refused`() throws {
        let value = try Message(body: Array(nested(128).utf8)).json()
        #expect(throws: Never.self) { try Message(json: value) }
        let error = #expect(throws: AMQPError.self) { try Message(json: [value]) }
        #expect(error?.code == .encodingFailed)
        let deep = #expect(throws: AMQPError.self) { try Message(body: Array(nested(129).utf8)).json() }
        #expect(deep?.code == .decodingFailed)
    }

    @Test func `many brackets side by side are not deep`() throws {
        let text = "[" + Array(repeating: #"[{"a":[]}]"#, count: 1_000).joined(separator: ",") + "]"
        #expect(try Message(body: Array(text.utf8)).json()[999]?[0]?["a"] == [])
        let deep = Array("[\(text),\(nested(128))]".utf8)
        #expect(Self.code(deep) { _ = try $0.json() } == .decodingFailed)
    }

    @Test func `brackets in strings are no levels`() throws {
        let text = String(repeating: "[", count: 1_000) + "\"{"
        #expect(try Message(json: [.string(text)]).json() == [.string(text)])
    }

    @Test func `deep bodies are refused on a small stack without a crash`() async {
        for depth in [128, 129, 512, 513, 100_000] {
            let body = Array(nested(depth).utf8)
            let chain = Array(chained((depth + 1) / 2 - 1).utf8)
            let codes = await withCheckedContinuation { continuation in
                let thread = Thread {
                    continuation.resume(returning: [
                        Self.code(body) { _ = try $0.json() }, Self.code(chain) { _ = try $0.decode(Chain.self) },
                    ])
                }
                thread.stackSize = 1 << 20
                thread.start()
            }
            #expect(codes == Array(repeating: depth > 128 ? .decodingFailed : nil, count: 2))
        }
    }

    private static func code(_ body: [UInt8], _ work: (Message) throws -> Void) -> AMQPError.Code? {
        do {
            try work(Message(body: body))
            return nil
        } catch {
            return (error as? AMQPError)?.code
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("field tables to the wire and back")
struct TableCodingTests {
    private func roundTrip(_ table: FieldTable) throws -> FieldTable? {
        let buffer = OutboundBuffer()
        var message = Message(body: [], timestamp: nil)
        message.headers = table
        try message.validate()
        try buffer.appendMessage(message)
        var decoder = HeaderDecoder()
        return try frames(in: try drained(buffer))[1].payload.withUnsafeBytes { try decoder.header($0).message.headers }
    }

    @Test func `tables at random come back as they were`() throws {
        var random = SplitMix(seed: 6)
        for _ in 0..<300 {
            let table = random.table(depth: 4)
            #expect(try roundTrip(table) == table)
        }
    }

    @Test func `the ends of each range`() throws {
        let table: FieldTable = [
            "": .bool(false), "t": .bool(true), "b": .int8(.min), "B": .uint8(.max), "s": .int16(.min),
            "u": .uint16(.max), "I": .int32(.min), "i": .uint32(.max), "l": .int64(.min), "L": .uint64(.max),
            "f": .float(-.greatestFiniteMagnitude), "d": .double(.leastNonzeroMagnitude),
            "D": .decimal(scale: 255, unscaled: .min), "S": .string(""), "nul": .string("a\u{0}b"), "x": .bytes([]),
            "X": .bytes([0, 255]), "A": .array([]), "AA": .array([.array([.void]), .table([:])]),
            "T": .timestamp(.max), "F": .table([:]), "V": .void,
            String(repeating: "\u{1F407}", count: 63) + "abc": .string(String(repeating: "x", count: 70_000)),
        ]
        #expect(try roundTrip(table) == table)
    }

    @Test(arguments: [31, 32])
    func `as deep as is allowed`(levels: Int) throws {
        var table: FieldTable = ["leaf": 1]
        for _ in 1..<levels { table = ["t": .table(table)] }
        #expect(try roundTrip(table) == table)
        #expect(throws: AMQPError.self) { try roundTrip(["a": .array([.table(["b": .table(deep(32))])])]) }
    }

    private func deep(_ levels: Int) -> FieldTable {
        (1..<levels).reduce(["leaf": 1]) { table, _ in ["t": .table(table)] }
    }

    @Test func `text that is no UTF-8 comes as bytes, and keys that are none keep theirs`() throws {
        var writer = PeerWriter()
        let (long, void) = (UInt8(ascii: "S"), UInt8(ascii: "V"))
        writer.block([1, 0xFF, long, 0, 0, 0, 2, 0xC3, 0x28, 1, 0x6B, long, 0, 0, 0, 1, 0x41, 1, 0xFE, void])
        let header = PeerFrame.header(channel: 1, bodySize: 0, properties: [0x20, 0] + writer.bytes)
        var decoder = HeaderDecoder()
        let headers = try header.payload.withUnsafeBytes { try decoder.header($0).message.headers }
        let (first, second) = (String(amqpBytes: [0xFF]), String(amqpBytes: [0xFE]))
        #expect(headers == [first: .bytes([0xC3, 0x28]), "k": "A", second: .void])
        #expect(try roundTrip([first: 1, second: .table([first: 2])]) == [first: 1, second: .table([first: 2])])
    }

    @Test func `a key of 255 bytes that are no UTF-8 fits, and one more does not`() throws {
        let key = { String(amqpBytes: [UInt8](repeating: 0xFF, count: $0)) }
        #expect(try roundTrip([key(255): 1]) == [key(255): 1])
        #expect { try TableCheck.validate([key(256): 1]) } throws: { AMQPError.Code.invalidArgument ~= $0 }
    }

    @Test func `whatever comes as a content header, nothing traps`() {
        var random = SplitMix(seed: 7)
        var decoder = HeaderDecoder()
        for _ in 0..<20_000 {
            var payload = PeerFrame.header(channel: 1, bodySize: 1, properties: random.bytes(upTo: 60)).payload
            if Int.random(in: 0..<4, using: &random) == 0 { payload = random.bytes(upTo: 30) }
            _ = try? payload.withUnsafeBytes { try decoder.header($0).message.headers }
        }
    }

    @Test func `whatever comes as a method, nothing traps`() {
        var random = SplitMix(seed: 8)
        let decoder = MethodDecoder()
        let ids: [(UInt16, UInt16)] = (0..<100).flatMap { id in
            [10, 20, 30, 40, 50, 60, 85, 90].map { (UInt16($0), UInt16(id + ($0 == 60 ? 20 : 0))) }
        }
        for _ in 0..<20 {
            for (classID, methodID) in ids {
                let method = PeerFrame.method(PeerMethod(classID, methodID), channel: 1) {
                    $0.raw(random.bytes(upTo: 40))
                }
                _ = try? method.payload.withUnsafeBytes { try decoder.method($0) }
                _ = try? method.payload.withUnsafeBytes { _ = try decoder.deliver($0) }
            }
            let short = random.bytes(upTo: 6)
            _ = try? short.withUnsafeBytes { try decoder.method($0) }
        }
    }
}

extension SplitMix {
    mutating func table(depth: Int) -> FieldTable {
        var table: FieldTable = [:]
        for _ in 0..<Int.random(in: 0...6, using: &self) { table[text(upTo: 20)] = value(depth: depth - 1) }
        return table
    }

    private mutating func text(upTo count: Int) -> String {
        let letters = Array("abcXYZ09 .-_\u{E9}\u{4E2D}\u{1F407}\u{0}")
        return String(
            (0..<Int.random(in: 0...count, using: &self)).map { _ in letters.randomElement(using: &self) ?? "a" }
        )
    }

    private mutating func value(depth: Int) -> FieldValue {
        let bits = next()
        switch Int.random(in: 0..<(depth > 0 ? 18 : 16), using: &self) {
        case 0: return .bool(bits & 1 == 0)
        case 1: return .int8(Int8(truncatingIfNeeded: bits))
        case 2: return .uint8(UInt8(truncatingIfNeeded: bits))
        case 3: return .int16(Int16(truncatingIfNeeded: bits))
        case 4: return .uint16(UInt16(truncatingIfNeeded: bits))
        case 5: return .int32(Int32(truncatingIfNeeded: bits))
        case 6: return .uint32(UInt32(truncatingIfNeeded: bits))
        case 7: return .int64(Int64(bitPattern: bits))
        case 8: return .uint64(bits)
        case 9: return .float(Float(Int32(truncatingIfNeeded: bits)))
        case 10: return .double(Double(Int64(bitPattern: bits)))
        case 11: return .decimal(scale: UInt8(truncatingIfNeeded: bits), unscaled: Int32(truncatingIfNeeded: bits >> 8))
        case 12: return .string(text(upTo: 100))
        case 13: return .bytes(bytes(upTo: 100))
        case 14: return .timestamp(bits)
        case 15: return .void
        case 16: return .array((0..<Int.random(in: 0...5, using: &self)).map { _ in value(depth: depth - 1) })
        default: return .table(table(depth: depth - 1))
        }
    }
}

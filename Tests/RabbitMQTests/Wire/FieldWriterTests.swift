import CRabbitMQ
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("properties as they go over the wire")
struct FieldWriterTests {
    private static let most = 100_000

    /// What the library makes of them; nil if it refuses them.
    private func written(_ message: Message) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Self.most)
        let (count, failure) = bytes.withUnsafeMutableBytes { memory -> (Int, FieldWriter.Failure?) in
            guard let base = memory.baseAddress else { return (0, .noRoom) }
            var writer = FieldWriter(base, space: memory.count)
            writer.put(propertiesOf: message)
            return (writer.count, writer.failure)
        }
        return failure == nil ? Array(bytes.prefix(count)) : nil
    }

    /// What rabbitmq-c makes of them.
    private func reference(_ message: Message) throws -> [UInt8] {
        let pool = Pool()
        var properties = try pool.properties(of: message)
        var bytes = [UInt8](repeating: 0, count: Self.most)
        let count = bytes.withUnsafeMutableBytes { memory in
            amqp_encode_properties(60, &properties, amqp_bytes_t(len: memory.count, bytes: memory.baseAddress))
        }
        withExtendedLifetime(pool) {}
        try #require(count >= 0)
        return Array(bytes.prefix(Int(count)))
    }

    private func bare(_ headers: FieldTable?) -> Message {
        var message = Message(body: [], headers: headers, timestamp: nil)
        message.contentType = nil
        return message
    }

    @Test func `tables at random are written as rabbitmq-c writes them`() throws {
        var random = SplitMix(seed: 21)
        for _ in 0..<500 {
            let message = bare(random.table(depth: 5))
            let expected = try reference(message)
            #expect(written(message) == expected)
        }
    }

    @Test func `properties at random are written as rabbitmq-c writes them`() throws {
        var random = SplitMix(seed: 22)
        for _ in 0..<500 {
            let message = random.message()
            let expected = try reference(message)
            #expect(written(message) == expected)
        }
    }

    @Test func `the ends of each range`() throws {
        let long = String(repeating: "x", count: 255)
        let table: FieldTable = [
            "": .bool(true), "b": .int8(.min), "B": .uint8(.max), "s": .int16(.min), "u": .uint16(.max),
            "I": .int32(.min), "i": .uint32(.max), "l": .int64(.min), "L": .uint64(.max),
            "f": .float(-.greatestFiniteMagnitude), "d": .double(.leastNonzeroMagnitude),
            "D": .decimal(scale: 255, unscaled: .min), "S": .string(""), "nul": .string("a\u{0}b"), "x": .bytes([]),
            "A": .array([]), "T": .timestamp(.max), "F": .table([:]), "V": .void, long: .string(long + long),
            String(amqpBytes: [0xFF, 0x41, 0xC3]): .array([.table([String(amqpBytes: [0xEF, 0xB7, 0x98]): 1])]),
        ]
        for headers in [table, [:], nil] {
            var message = bare(headers)
            let plain = try reference(message)
            #expect(written(message) == plain)
            message.contentType = long
            message.appID = String(amqpBytes: [UInt8](repeating: 0xFE, count: 255))
            message.timestampSeconds = .max
            let expected = try reference(message)
            #expect(written(message) == expected)
        }
    }

    @Test func `danger: a key or a text of 256 bytes is not written, wherever it stands`() {
        let key = String(repeating: "k", count: 256)
        let raw = String(amqpBytes: [UInt8](repeating: 0xFF, count: 256))
        for key in [key, raw] {
            let tables: [FieldTable] = [[key: 1], ["t": .table([key: 1])], ["a": .array([.table([key: 1])])]]
            for table in tables { #expect(written(bare(table)) == nil) }
            var message = bare(nil)
            message.correlationID = key
            #expect(written(message) == nil)
        }
    }

    @Test func `danger: what has RabbitMQ close the connection is not written`() {
        for value in [.double(.nan), .double(-.infinity), .float(.infinity)] as [FieldValue] {
            for headers in [["n": value], ["t": .table(["n": value])], ["a": .array([1, value])]] as [FieldTable] {
                #expect(written(bare(headers)) == nil)
            }
        }
        #expect(written(bare(["x-stream-filter-value": 7])) == nil)
        #expect(written(bare(["x-stream-filter-value": "eu"])) != nil)
        #expect(written(bare(["t": .table(["x-stream-filter-value": 7])])) != nil)
    }

    @Test(arguments: [true, false])
    func `danger: 32 levels are written, and no more`(inArrays: Bool) {
        func deep(_ levels: Int) -> Message {
            var value: FieldValue = .void
            for _ in 0..<levels { value = inArrays ? .array([value]) : .table(["t": value]) }
            return bare(["t": value])
        }
        #expect(written(deep(31)) != nil)
        #expect(written(deep(32)) == nil)
        #expect(written(deep(2000)) == nil)
    }

    @Test func `whatever room there is, nothing is written behind it`() throws {
        var random = SplitMix(seed: 23)
        let message = random.message()
        let whole = try reference(message)
        for space in 0...whole.count {
            var bytes = [UInt8](repeating: 0xAA, count: whole.count + 64)
            let failure = bytes.withUnsafeMutableBytes { memory -> FieldWriter.Failure? in
                guard let base = memory.baseAddress else { return .refused }
                var writer = FieldWriter(base, space: space)
                writer.put(propertiesOf: message)
                return writer.failure
            }
            let expected: FieldWriter.Failure? = space < whole.count ? .noRoom : nil
            #expect(failure == expected)
            let isUntouched = bytes[space...].allSatisfy { $0 == 0xAA }
            #expect(isUntouched)
        }
    }
}

extension SplitMix {
    /// A message with properties at random, without a body.
    fileprivate mutating func message() -> Message {
        var message = Message(body: [], timestamp: nil)
        message.contentType = property()
        message.contentEncoding = property()
        message.headers = chance(0.7) ? table(depth: 3) : nil
        message.deliveryMode = chance(0.5) ? .persistent : nil
        message.priority = chance(0.5) ? 7 : nil
        message.correlationID = property()
        message.replyTo = property()
        message.expiration = property()
        message.messageID = property()
        message.timestampSeconds = chance(0.5) ? next() : nil
        message.type = property()
        message.userID = property()
        message.appID = property()
        return message
    }

    /// Of bytes that mostly are no UTF-8, of letters, or none.
    private mutating func property() -> String? {
        guard chance(0.7) else { return nil }
        return chance(0.5) ? String(amqpBytes: bytes(upTo: 255)) : String(repeating: "t", count: number(0...255))
    }
}

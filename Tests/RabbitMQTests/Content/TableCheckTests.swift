import Testing

@testable import RabbitMQ

@Suite struct TableCheckTests {
    /// A value of `levels` nested arrays or tables.
    private func nested(_ levels: Int, inTables: Bool) -> FieldValue {
        var value: FieldValue = .bool(true)
        for _ in 0..<levels {
            value = inTables ? .table(["k": value]) : .array([value])
        }
        return value
    }

    @Test(
        arguments: [
            (.bool(true), 1), (.int8(1), 1), (.uint8(1), 1), (.int16(1), 2), (.uint16(1), 2), (.int32(1), 4),
            (.uint32(1), 4), (.int64(1), 8), (.uint64(1), 8), (.float(1), 4), (.double(1), 8),
            (.decimal(scale: 1, unscaled: 1), 5), (.string(""), 4), (.string("aé"), 4 + 3), (.bytes([]), 4),
            (.bytes([1, 2]), 4 + 2), (.timestamp(1), 8), (.void, 0), (.array([]), 4),
            (.array([.int8(1), .void]), 4 + 2 + 1), (.table([:]), 4), (.table(["ab": .int16(1)]), 4 + 1 + 2 + 1 + 2),
            (.array([.table(["a": [1]])]), 4 + 1 + (4 + 1 + 1 + 1 + (4 + 1 + 8))),
        ] as [(FieldValue, Int)]
    )
    func `the encoded size of every type is right`(value: FieldValue, size: Int) throws {
        // Length, key with its length, letter, value.
        #expect(try TableCheck.encodedSize(of: ["key": value]) == 4 + 1 + 3 + 1 + size)
        #expect(try TableCheck.validate(["key": value, "é": value]) == 4 + (1 + 3 + 1 + size) + (1 + 2 + 1 + size))
    }

    @Test func `an empty table takes its length`() throws {
        #expect(try TableCheck.encodedSize(of: [:]) == 4)
    }

    @Test func `a key of 255 bytes is taken and one of 256 refused`() throws {
        #expect(throws: Never.self) { try TableCheck.validate([String(repeating: "k", count: 255): 1]) }
        #expect(throws: Never.self) { try TableCheck.validate([String(repeating: "é", count: 127) + "k": 1]) }
        for key in [String(repeating: "k", count: 256), String(repeating: "é", count: 128)] {
            let error = #expect(throws: AMQPError.self) { try TableCheck.validate([key: 1], name: "headers") }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("headers has a key of 256 bytes") == true)
        }
    }

    @Test func `a long key is refused in nested tables, and in tables inside arrays`() {
        let long: FieldValue = .table([String(repeating: "k", count: 259): 1])
        for table: FieldTable in [["a": long], ["a": [1, long]], ["a": ["b": [["c": [long]]]]]] {
            #expect(throws: AMQPError.self) { try TableCheck.validate(table) }
        }
    }

    @Test(arguments: [true, false])
    func `32 levels are taken and 33 refused`(inTables: Bool) throws {
        // The table itself is the first level.
        #expect(throws: Never.self) { try TableCheck.validate(["k": nested(31, inTables: inTables)]) }
        let error = #expect(throws: AMQPError.self) {
            try TableCheck.validate(["k": nested(32, inTables: inTables)], code: .invalidMessage)
        }
        #expect(error?.code == .invalidMessage)
        #expect(error?.message.contains("32 levels") == true)
    }

    @Test(arguments: [.double(.nan), .double(.infinity), .float(-.infinity), .float(.signalingNaN)] as [FieldValue])
    func `a number that isn't finite is refused at any level`(value: FieldValue) {
        for table in [["n": value], ["t": .table(["n": value])], ["a": .array([1, value])]] as [FieldTable] {
            let error = #expect(throws: AMQPError.self) { try TableCheck.validate(table, code: .invalidMessage) }
            #expect(error?.code == .invalidMessage)
        }
        #expect(throws: AMQPError.self) { try Message(body: [], headers: ["n": value]).validate() }
    }

    @Test func `another depth can be asked for`() {
        #expect(throws: Never.self) { try TableCheck.validate(["k": 1], maxDepth: 1) }
        #expect(throws: AMQPError.self) { try TableCheck.validate(["k": [1]], maxDepth: 1) }
    }

    @Test(arguments: [true, false])
    func `very deep values are refused without a crash`(inTables: Bool) {
        #expect(throws: AMQPError.self) { try TableCheck.validate(["k": nested(1_000, inTables: inTables)]) }
    }

    @Test func `a short string of 255 bytes is taken and one of 256 refused`() throws {
        #expect(throws: Never.self) { try ShortString.validate(String(repeating: "a", count: 255), name: "x") }
        for text in [String(repeating: "a", count: 256), String(repeating: "é", count: 128)] {
            let error = #expect(throws: AMQPError.self) {
                try ShortString.validate(text, name: "routing key", code: .invalidName)
            }
            #expect(error?.code == .invalidName)
            #expect(error?.message == "routing key has 256 bytes of UTF-8; at most 255 are possible")
        }
    }

    @Test func `a NUL is refused only where asked`() {
        #expect(throws: Never.self) { try ShortString.validate("a\0b", name: "x") }
        #expect(throws: AMQPError.self) { try ShortString.validate("a\0b", name: "x", allowsNUL: false) }
        #expect(throws: Never.self) { try ShortString.validate("ab", name: "x", allowsNUL: false) }
    }
}

internal import RabbitMQ

/// Takes the fields of a frame apart. What is missing is an error, never a trap.
struct WireReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// How deep tables and arrays may nest.
    static let deepest = 64

    mutating func octet() throws(Refusal) -> UInt8 { try number() }
    mutating func short() throws(Refusal) -> UInt16 { try number() }
    mutating func long() throws(Refusal) -> UInt32 { try number() }
    mutating func longLong() throws(Refusal) -> UInt64 { try number() }

    mutating func shortString() throws(Refusal) -> String {
        let count = Int(try octet())
        return String(amqpBytes: try take(count))
    }

    mutating func longString() throws(Refusal) -> ArraySlice<UInt8> {
        let count = Int(try long())
        return try take(count)
    }

    mutating func table(depth: Int = 0) throws(Refusal) -> FieldTable {
        guard depth < Self.deepest else { throw Refusal(.syntaxError, "a table that is too deeply nested") }
        let count = Int(try long())
        var entries = WireReader(try take(count))
        var table: FieldTable = [:]
        while !entries.rest.isEmpty {
            let key = try entries.shortString()
            table[key] = try entries.fieldValue(depth: depth)
        }
        return table
    }

    private mutating func array(depth: Int) throws(Refusal) -> [FieldValue] {
        guard depth < Self.deepest else { throw Refusal(.syntaxError, "an array that is too deeply nested") }
        let count = Int(try long())
        var entries = WireReader(try take(count))
        var values: [FieldValue] = []
        while !entries.rest.isEmpty { values.append(try entries.fieldValue(depth: depth)) }
        return values
    }

    private mutating func fieldValue(depth: Int) throws(Refusal) -> FieldValue {
        let kind = try octet()
        switch kind {
        case UInt8(ascii: "t"): return .bool(try octet() != 0)
        case UInt8(ascii: "b"): return .int8(Int8(bitPattern: try octet()))
        case UInt8(ascii: "B"): return .uint8(try octet())
        case UInt8(ascii: "s"): return .int16(Int16(bitPattern: try short()))
        case UInt8(ascii: "u"): return .uint16(try short())
        case UInt8(ascii: "I"): return .int32(Int32(bitPattern: try long()))
        case UInt8(ascii: "i"): return .uint32(try long())
        case UInt8(ascii: "l"), UInt8(ascii: "L"): return .int64(Int64(bitPattern: try longLong()))
        case UInt8(ascii: "f"): return .float(Float(bitPattern: try long()))
        case UInt8(ascii: "d"): return .double(Double(bitPattern: try longLong()))
        case UInt8(ascii: "D"):
            let scale = try octet()
            return .decimal(scale: scale, unscaled: Int32(bitPattern: try long()))
        case UInt8(ascii: "S"):
            let bytes = try longString()
            return String(validating: bytes, as: UTF8.self).map(FieldValue.string) ?? .bytes(Array(bytes))
        case UInt8(ascii: "x"): return .bytes(Array(try longString()))
        case UInt8(ascii: "A"): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "T"): return .timestamp(try longLong())
        case UInt8(ascii: "F"): return .table(try table(depth: depth + 1))
        case UInt8(ascii: "V"): return .void
        default: throw Refusal(.syntaxError, "a field of the unknown type \(kind)")
        }
    }

    private mutating func number<T: FixedWidthInteger>() throws(Refusal) -> T {
        let count = T.bitWidth / 8
        var value: T = 0
        for byte in try take(count) { value = (count == 1 ? 0 : value << 8) | T(truncatingIfNeeded: byte) }
        return value
    }

    private mutating func take(_ count: Int) throws(Refusal) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Refusal(.syntaxError, "a frame that ends within a field") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

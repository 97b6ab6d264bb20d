/// A field value in JSON or another such format: what JSON has a word for is written as such, the other types with a name
/// before them.
///
/// `5` is an ``FieldValue/int64(_:)``; `{"$int32": 5}` is an ``FieldValue/int32(_:)``. So a ``FieldTable`` that was written
/// is read as it was.
extension FieldValue: Codable {
    /// The types that need a name.
    private enum Tag: String, CodingKey {
        case int8 = "$int8"
        case uint8 = "$uint8"
        case int16 = "$int16"
        case uint16 = "$uint16"
        case int32 = "$int32"
        case uint32 = "$uint32"
        case uint64 = "$uint64"
        case float = "$float"
        case double = "$double"
        case decimal = "$decimal"
        case bytes = "$bytes"
        case timestamp = "$timestamp"
        /// A table that could be taken for one of these.
        case table = "$table"
    }

    private struct Decimal: Codable {
        var scale: UInt8
        var unscaled: Int32
    }

    /// Reads a value.
    public init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .void
        } else if let bool = try? single.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? single.decode(Int64.self) {
            self = .int64(number)
        } else if let number = try? single.decode(Double.self) {
            self = .double(number)
        } else if let text = try? single.decode(String.self) {
            self = .string(text)
        } else if let array = try? single.decode([FieldValue].self) {
            self = .array(array)
        } else {
            self = try Self.tagged(decoder) ?? .table(single.decode(FieldTable.self))
        }
    }

    private static func tagged(_ decoder: any Decoder) throws -> FieldValue? {
        let fields = try decoder.container(keyedBy: Tag.self)
        guard fields.allKeys.count == 1, let tag = fields.allKeys.first else { return nil }
        switch tag {
        case .int8: return .int8(try fields.decode(Int8.self, forKey: tag))
        case .uint8: return .uint8(try fields.decode(UInt8.self, forKey: tag))
        case .int16: return .int16(try fields.decode(Int16.self, forKey: tag))
        case .uint16: return .uint16(try fields.decode(UInt16.self, forKey: tag))
        case .int32: return .int32(try fields.decode(Int32.self, forKey: tag))
        case .uint32: return .uint32(try fields.decode(UInt32.self, forKey: tag))
        case .uint64: return .uint64(try fields.decode(UInt64.self, forKey: tag))
        case .float: return .float(try fields.decode(Float.self, forKey: tag))
        case .double: return .double(try fields.decode(Double.self, forKey: tag))
        case .decimal:
            let decimal = try fields.decode(Decimal.self, forKey: tag)
            return .decimal(scale: decimal.scale, unscaled: decimal.unscaled)
        case .bytes: return .bytes(try fields.decode([UInt8].self, forKey: tag))
        case .timestamp: return .timestamp(try fields.decode(UInt64.self, forKey: tag))
        case .table:
            return .table(try fields.decode(FieldTable.self, forKey: tag))
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        func tagged(_ tag: Tag, _ content: some Encodable) throws {
            var fields = encoder.container(keyedBy: Tag.self)
            try fields.encode(content, forKey: tag)
        }
        func plain(_ content: some Encodable) throws {
            var single = encoder.singleValueContainer()
            try single.encode(content)
        }
        switch self {
        case .void:
            var single = encoder.singleValueContainer()
            try single.encodeNil()
        case .bool(let bool): try plain(bool)
        case .int64(let number): try plain(number)
        case .string(let text): try plain(text)
        case .array(let array): try plain(array)
        case .table(let table):
            let isAmbiguous = table.keys.contains { $0.hasPrefix("$") }
            if isAmbiguous { try tagged(.table, table) } else { try plain(table) }
        case .int8(let number): try tagged(.int8, number)
        case .uint8(let number): try tagged(.uint8, number)
        case .int16(let number): try tagged(.int16, number)
        case .uint16(let number): try tagged(.uint16, number)
        case .int32(let number): try tagged(.int32, number)
        case .uint32(let number): try tagged(.uint32, number)
        case .uint64(let number): try tagged(.uint64, number)
        case .float(let number): try tagged(.float, number)
        case .double(let number): try tagged(.double, number)
        case .decimal(let scale, let unscaled): try tagged(.decimal, Decimal(scale: scale, unscaled: unscaled))
        case .bytes(let bytes): try tagged(.bytes, bytes)
        case .timestamp(let seconds): try tagged(.timestamp, seconds)
        }
    }
}

internal import CRabbitMQ

/// Decodes encoded headers, all or one of them. The bytes were checked when they came (``NestingCheck``).
enum HeaderSearch: HeaderCoding {
    static func table(_ bytes: [UInt8], isTooDeep: Bool) -> FieldTable {
        // To refuse them would end the connection, and with each delivery of the message the next one.
        FieldTable(encoded: isTooDeep ? NestingCut.cut(bytes) : bytes)
    }

    static func search(_ bytes: [UInt8], for name: String, isTooDeep: Bool) -> FoundHeader {
        var name = name
        return name.withUTF8 { name in
            bytes.withUnsafeBytes { search($0, for: UnsafeRawBufferPointer(name), isTooDeep) }
        }
    }

    /// Goes over the entries, the last of that name counts. Where a name is not ASCII, other bytes may be the same
    /// characters.
    private static func search(
        _ bytes: UnsafeRawBufferPointer,
        for name: UnsafeRawBufferPointer,
        _ isTooDeep: Bool
    ) -> FoundHeader {
        guard name.allSatisfy({ $0 < 0x80 }) else { return .unclear }
        var entry: Range<Int>?
        var offset = 4
        while offset < bytes.count {
            let start = offset
            let kind = offset + 1 + Int(bytes[offset])
            guard kind < bytes.count, let end = end(ofValueAt: kind, bytes) else { return .unclear }
            let key = UnsafeRawBufferPointer(rebasing: bytes[start + 1..<kind])
            guard key.allSatisfy({ $0 < 0x80 }) else { return .unclear }
            if key.count == name.count, key.elementsEqual(name) { entry = start..<end }
            offset = end
        }
        guard let entry else { return .missing }
        let value = entry.lowerBound + 1 + name.count
        if let plain = plainValue(UnsafeRawBufferPointer(rebasing: bytes[value..<entry.upperBound])) {
            return .found(plain)
        }
        // A table of this entry alone.
        var table: [UInt8] = []
        table.reserveCapacity(4 + entry.count)
        withUnsafeBytes(of: UInt32(entry.count).bigEndian) { table.append(contentsOf: $0) }
        table.append(contentsOf: bytes[entry])
        guard let found = self.table(table, isTooDeep: isTooDeep).first?.value else { return .unclear }
        return .found(found)
    }

    /// Where a value ends whose kind is at `offset`; nil if it is not known.
    private static func end(ofValueAt offset: Int, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let size: Int
        switch bytes[offset] {
        case UInt8(ascii: "S"), UInt8(ascii: "x"), UInt8(ascii: "A"), UInt8(ascii: "F"):
            guard offset + 5 <= bytes.count else { return nil }
            size = 4 + Int(bytes.bigEndian(UInt32.self, at: offset + 1))
        case let kind:
            guard let fixed = NestingCheck.fixedSize(kind) else { return nil }
            size = fixed
        }
        let end = offset + 1 + size
        return end <= bytes.count ? end : nil
    }

    /// The value of the kinds that are most usual, for which nothing has to be decoded.
    ///
    /// - Parameter bytes: Its kind and its value.
    private static func plainValue(_ bytes: UnsafeRawBufferPointer) -> FieldValue? {
        var field = amqp_field_value_t()
        field.kind = bytes[0]
        switch bytes[0] {
        case UInt8(ascii: "S"):
            let text = UnsafeRawBufferPointer(rebasing: bytes[5...])
            field.value.bytes = amqp_bytes_t(
                len: text.count,
                bytes: UnsafeMutableRawPointer(mutating: text.baseAddress)
            )
        case UInt8(ascii: "l"): field.value.i64 = bytes.bigEndian(Int64.self, at: 1)
        case UInt8(ascii: "I"): field.value.i32 = bytes.bigEndian(Int32.self, at: 1)
        case UInt8(ascii: "t"): field.value.boolean = amqp_boolean_t(bytes[1])
        default: return nil
        }
        return FieldValue(field)
    }
}

internal import RabbitMQ

/// Puts fields together.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func octet(_ value: UInt8) { bytes.append(value) }
    mutating func bit(_ value: Bool) { bytes.append(value ? 1 : 0) }
    mutating func short(_ value: UInt16) { append(value) }
    mutating func long(_ value: UInt32) { append(value) }
    mutating func longLong(_ value: UInt64) { append(value) }
    mutating func raw(_ value: some Sequence<UInt8>) { bytes += value }

    /// What is too long for a short string is cut.
    mutating func shortString(_ text: String) {
        let text = text.amqpBytes.prefix(255)
        octet(UInt8(text.count))
        bytes += text
    }

    mutating func longString(_ text: some Collection<UInt8>) {
        long(UInt32(clamping: text.count))
        bytes += text
    }

    /// What nests deeper than a reader takes is left out, since it would overflow the stack: `depth` tables and arrays
    /// are around this one.
    mutating func table(_ table: FieldTable, depth: Int = 0) {
        var entries = WireWriter()
        for (key, value) in table {
            entries.shortString(key)
            entries.fieldValue(value, depth: depth)
        }
        longString(entries.bytes)
    }

    private mutating func fieldValue(_ value: FieldValue, depth: Int) {
        let isDeepest = depth + 1 == WireReader.deepest
        func kind(_ letter: Unicode.Scalar) -> UInt8 { UInt8(ascii: letter) }
        switch value {
        case .bool(let value):
            octet(kind("t"))
            bit(value)
        case .int8(let value):
            octet(kind("b"))
            octet(UInt8(bitPattern: value))
        case .uint8(let value):
            octet(kind("B"))
            octet(value)
        case .int16(let value):
            octet(kind("s"))
            short(UInt16(bitPattern: value))
        case .uint16(let value):
            octet(kind("u"))
            short(value)
        case .int32(let value):
            octet(kind("I"))
            long(UInt32(bitPattern: value))
        case .uint32(let value):
            octet(kind("i"))
            long(value)
        case .int64(let value):
            octet(kind("l"))
            longLong(UInt64(bitPattern: value))
        case .uint64(let value):
            octet(kind("l"))
            longLong(value)
        case .float(let value):
            octet(kind("f"))
            long(value.bitPattern)
        case .double(let value):
            octet(kind("d"))
            longLong(value.bitPattern)
        case .decimal(let scale, let unscaled):
            octet(kind("D"))
            octet(scale)
            long(UInt32(bitPattern: unscaled))
        case .string(let value):
            octet(kind("S"))
            longString(value.utf8)
        case .bytes(let value):
            octet(kind("x"))
            longString(value)
        case .array where isDeepest, .table where isDeepest: octet(kind("V"))
        case .array(let values):
            octet(kind("A"))
            var entries = WireWriter()
            for value in values { entries.fieldValue(value, depth: depth + 1) }
            longString(entries.bytes)
        case .timestamp(let seconds):
            octet(kind("T"))
            longLong(seconds)
        case .table(let value):
            octet(kind("F"))
            table(value, depth: depth + 1)
        case .void: octet(kind("V"))
        }
    }

    private mutating func append<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }
}

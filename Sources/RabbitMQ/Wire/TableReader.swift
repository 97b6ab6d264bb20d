/// Decodes field tables (AMQP 0-9-1, section 4.2.5.5), each value straight to what the application gets.
///
/// rabbitmq-c makes a tree of its own structures first, and takes memory for it. The bytes were looked at when they came
/// (``NestingCheck``); nothing here relies on it.
struct TableReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// Where the innermost table or array ends that is being read.
    private var end: Int

    /// - Parameter bytes: A table behind its length, with nothing around it.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        end = bytes.count
    }

    /// The table; nil if it is malformed or too deep. Of a key that comes twice, the last value counts.
    mutating func table() -> FieldTable? { table(level: 1) }

    private mutating func table(level: Int) -> FieldTable? {
        guard let outer = enterBlock(level: level) else { return nil }
        var table = FieldTable(minimumCapacity: entryCount(haveKeys: true))
        while offset < end {
            guard let size = number(UInt8.self), let key = buffer(Int(size)), let value = value(level: level) else {
                return nil
            }
            table[String(wire: key)] = value
        }
        end = outer
        return table
    }

    private mutating func array(level: Int) -> [FieldValue]? {
        guard let outer = enterBlock(level: level) else { return nil }
        var values: [FieldValue] = []
        values.reserveCapacity(entryCount(haveKeys: false))
        while offset < end {
            guard let value = value(level: level) else { return nil }
            values.append(value)
        }
        end = outer
        return values
    }

    /// - Parameter level: That of the table or array which holds it.
    private mutating func value(level: Int) -> FieldValue? {
        guard let letter = number(UInt8.self) else { return nil }
        switch letter {
        case UInt8(ascii: "S"):
            guard let bytes = longBuffer() else { return nil }
            if let text = String(validating: bytes, as: UTF8.self) { return FieldValue.string(text) }
            return FieldValue.bytes(Array(bytes))
        case UInt8(ascii: "t"): return number(UInt8.self).map { FieldValue.bool($0 != 0) }
        case UInt8(ascii: "b"): return number(Int8.self).map { FieldValue.int8($0) }
        case UInt8(ascii: "B"): return number(UInt8.self).map { FieldValue.uint8($0) }
        case UInt8(ascii: "s"): return number(Int16.self).map { FieldValue.int16($0) }
        case UInt8(ascii: "u"): return number(UInt16.self).map { FieldValue.uint16($0) }
        case UInt8(ascii: "I"): return number(Int32.self).map { FieldValue.int32($0) }
        case UInt8(ascii: "i"): return number(UInt32.self).map { FieldValue.uint32($0) }
        case UInt8(ascii: "l"): return number(Int64.self).map { FieldValue.int64($0) }
        case UInt8(ascii: "L"): return number(UInt64.self).map { FieldValue.uint64($0) }
        case UInt8(ascii: "f"): return number(UInt32.self).map { FieldValue.float(Float(bitPattern: $0)) }
        case UInt8(ascii: "d"): return number(UInt64.self).map { FieldValue.double(Double(bitPattern: $0)) }
        case UInt8(ascii: "D"):
            guard let scale = number(UInt8.self), let unscaled = number(Int32.self) else { return nil }
            return FieldValue.decimal(scale: scale, unscaled: unscaled)
        case UInt8(ascii: "x"): return longBuffer().map { FieldValue.bytes(Array($0)) }
        case UInt8(ascii: "A"): return array(level: level + 1).map { FieldValue.array($0) }
        case UInt8(ascii: "T"): return number(UInt64.self).map { FieldValue.timestamp($0) }
        case UInt8(ascii: "F"): return table(level: level + 1).map { FieldValue.table($0) }
        case UInt8(ascii: "V"): return FieldValue.void
        default: return nil
        }
    }

    // MARK: Fields

    /// Begins with a table or an array behind its length.
    ///
    /// - Returns: Where the one ends that holds it.
    private mutating func enterBlock(level: Int) -> Int? {
        guard level <= NestingCheck.maxDepth, let size = number(UInt32.self), Int(size) <= end - offset else {
            return nil
        }
        let outer = end
        end = offset + Int(size)
        return outer
    }

    private mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
        guard MemoryLayout<Number>.size <= end - offset else { return nil }
        let number = bytes.bigEndian(type, at: offset)
        offset += MemoryLayout<Number>.size
        return number
    }

    private mutating func longBuffer() -> UnsafeBufferPointer<UInt8>? {
        guard let size = number(UInt32.self) else { return nil }
        return buffer(Int(size))
    }

    private mutating func buffer(_ size: Int) -> UnsafeBufferPointer<UInt8>? {
        guard size <= end - offset, let base = bytes.baseAddress else { return nil }
        let start = (base + offset).assumingMemoryBound(to: UInt8.self)
        offset += size
        return UnsafeBufferPointer(start: start, count: size)
    }

    /// How many entries the rest of the table or array has: a dictionary that grows hashes all of its keys again each time.
    private func entryCount(haveKeys: Bool) -> Int {
        var (place, count) = (offset, 0)
        while place < end {
            if haveKeys { place += 1 + Int(bytes[place]) }
            guard place < end, let size = sizeOfValue(bytes[place], at: place + 1) else { return count }
            place += 1 + size
            count += 1
        }
        return count
    }

    private func sizeOfValue(_ letter: UInt8, at place: Int) -> Int? {
        switch letter {
        case UInt8(ascii: "F"), UInt8(ascii: "A"), UInt8(ascii: "S"), UInt8(ascii: "x"):
            place + 4 <= end ? 4 + Int(bytes.bigEndian(UInt32.self, at: place)) : nil
        default: NestingCheck.fixedSize(letter)
        }
    }
}

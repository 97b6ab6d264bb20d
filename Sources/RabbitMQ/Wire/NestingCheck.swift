/// Looks at the nesting of an encoded field table before rabbitmq-c does.
///
/// `amqp_decode_table` recurses without limit before 0.14, so that 26,000 levels overflow a 2 MB stack. This walk does
/// not recurse, finds lengths that don't fit in each other, and says whether a table is deeper than ``maxDepth``.
enum NestingCheck {
    /// The table itself is the first level.
    static let maxDepth = 32

    /// What there is to say of a table that is well formed.
    struct Verdict: Equatable {
        /// Whether brokers take all of it in the headers of a message (``TableCheck``).
        var isSendable = true
        /// Whether it is deeper than ``maxDepth``, and must not be decoded as it is (``NestingCut``).
        var isTooDeep = false
        /// How many values there are in it, and in what nests in it: one byte may be one.
        var values = 0
    }

    /// Whether the table at `start` of `bytes` is well formed and not too deep.
    static func accepts(_ bytes: UnsafeRawBufferPointer, tableAt start: Int) -> Bool {
        verdict(bytes, tableAt: start)?.isTooDeep == false
    }

    /// What there is to say of the table at `start` of `bytes`; nil if it is not well formed.
    static func verdict(_ bytes: UnsafeRawBufferPointer, tableAt start: Int) -> Verdict? {
        guard let end = blockEnd(bytes, at: start, limit: bytes.count) else { return nil }
        return walk(bytes, from: start + 4, to: end)
    }

    private struct Level {
        var end: Int
        var isTable: Bool
    }

    private static func walk(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Verdict? {
        var verdict = Verdict()
        var level = Level(end: end, isTable: true)
        // Those around it: nothing is allocated for headers that don't nest.
        var outer: [Level] = []
        var offset = start
        while true {
            if offset == level.end {
                guard let next = outer.popLast() else { return verdict }
                level = next
                continue
            }
            let entry = offset
            if level.isTable { offset += 1 + Int(bytes[offset]) }
            guard offset < level.end else { return nil }
            let kind = bytes[offset]
            if level.isTable, outer.isEmpty, kind != UInt8(ascii: "S"), isTextKey(bytes[entry..<offset]) {
                verdict.isSendable = false
            }
            offset += 1
            verdict.values += 1
            switch kind {
            case UInt8(ascii: "F"), UInt8(ascii: "A"):
                guard let end = blockEnd(bytes, at: offset, limit: level.end) else { return nil }
                outer.append(level)
                if outer.count == maxDepth { verdict.isTooDeep = true }
                level = Level(end: end, isTable: kind == UInt8(ascii: "F"))
                offset += 4
            case UInt8(ascii: "S"), UInt8(ascii: "x"):
                guard let end = blockEnd(bytes, at: offset, limit: level.end) else { return nil }
                offset = end
            default:
                guard let size = fixedSize(kind), offset + size <= level.end else { return nil }
                if !isFinite(kind, bytes, at: offset) { verdict.isSendable = false }
                offset += size
            }
        }
    }

    /// Whether it is the key, behind its length, of the one header that has to be text.
    private static func isTextKey(_ key: Slice<UnsafeRawBufferPointer>) -> Bool {
        let name = Message.streamFilterKey.utf8
        return key.count == 1 + name.count && key.dropFirst().elementsEqual(name)
    }

    /// Whether it is a number that brokers can read, or no floating-point number.
    @inline(__always)
    private static func isFinite(_ kind: UInt8, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        switch kind {
        case UInt8(ascii: "f"): Float(bitPattern: bytes.bigEndian(UInt32.self, at: offset)).isFinite
        case UInt8(ascii: "d"): Double(bitPattern: bytes.bigEndian(UInt64.self, at: offset)).isFinite
        default: true
        }
    }

    private static func blockEnd(_ bytes: UnsafeRawBufferPointer, at offset: Int, limit: Int) -> Int? {
        guard offset + 4 <= limit else { return nil }
        let end = offset + 4 + Int(bytes.bigEndian(UInt32.self, at: offset))
        return end <= limit ? end : nil
    }

    /// The size of a value of a kind that has one size.
    static func fixedSize(_ kind: UInt8) -> Int? {
        switch kind {
        case UInt8(ascii: "V"): 0
        case UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "B"): 1
        case UInt8(ascii: "s"), UInt8(ascii: "u"): 2
        case UInt8(ascii: "I"), UInt8(ascii: "i"), UInt8(ascii: "f"): 4
        case UInt8(ascii: "D"): 5
        case UInt8(ascii: "l"), UInt8(ascii: "L"), UInt8(ascii: "d"), UInt8(ascii: "T"): 8
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// An integer in network order. The caller has checked that it lies within the buffer.
    @inline(__always)
    func bigEndian<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}

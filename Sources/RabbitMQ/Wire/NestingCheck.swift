/// Looks at the nesting of an encoded field table before rabbitmq-c does.
///
/// `amqp_decode_table` recurses without limit before 0.14, so that 26,000 levels overflow a 2 MB stack. This walk does
/// not recurse, and refuses a table that is deeper than ``maxDepth`` or whose lengths don't fit in each other.
enum NestingCheck {
    /// The table itself is the first level.
    static let maxDepth = 32

    enum Verdict {
        /// It is not well formed, or too deep.
        case malformed
        /// It has what brokers don't take in the headers of a message (``TableCheck``).
        case unsendable
        case sendable
    }

    /// Whether the table at `start` of `bytes` is well formed and not too deep.
    static func accepts(_ bytes: UnsafeRawBufferPointer, tableAt start: Int) -> Bool {
        verdict(bytes, tableAt: start) != .malformed
    }

    /// What there is to say of the table at `start` of `bytes`.
    static func verdict(_ bytes: UnsafeRawBufferPointer, tableAt start: Int) -> Verdict {
        guard let end = blockEnd(bytes, at: start, limit: bytes.count) else { return .malformed }
        return walk(bytes, from: start + 4, to: end)
    }

    private struct Level {
        var end: Int
        var isTable: Bool
    }

    private static func walk(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Verdict {
        var verdict = Verdict.sendable
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
            guard offset < level.end else { return .malformed }
            let kind = bytes[offset]
            if level.isTable, outer.isEmpty, kind != UInt8(ascii: "S"), isTextKey(bytes[entry..<offset]) {
                verdict = .unsendable
            }
            offset += 1
            switch kind {
            case UInt8(ascii: "F"), UInt8(ascii: "A"):
                guard outer.count + 1 < maxDepth, let end = blockEnd(bytes, at: offset, limit: level.end) else {
                    return .malformed
                }
                outer.append(level)
                level = Level(end: end, isTable: kind == UInt8(ascii: "F"))
                offset += 4
            case UInt8(ascii: "S"), UInt8(ascii: "x"):
                guard let end = blockEnd(bytes, at: offset, limit: level.end) else { return .malformed }
                offset = end
            default:
                guard let size = fixedSize(kind), offset + size <= level.end else { return .malformed }
                if !isFinite(kind, bytes, at: offset) { verdict = .unsendable }
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
    private static func fixedSize(_ kind: UInt8) -> Int? {
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

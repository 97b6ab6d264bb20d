/// Makes a table that nests too deep one that can be decoded.
///
/// Brokers pass on headers that nest as deep as a frame is long, and whoever may publish can send some. What is too deep
/// is left out, so that the message can be handled at all.
enum NestingCut {
    /// A table or an array that has begun.
    private struct Block {
        /// Where it ends in what came.
        let end: Int
        let isTable: Bool
        /// Where its length stands in what is made.
        let place: Int
    }

    /// The table without what is deeper than ``NestingCheck/maxDepth``: in the place of each such table and array there
    /// is no value (`V`).
    ///
    /// - Parameter table: An encoded table with its length before it, which was found to be well formed
    ///   (``NestingCheck/verdict(_:tableAt:)``).
    static func cut(_ table: [UInt8]) -> [UInt8] { table.withUnsafeBytes { cut($0) } }

    private static func cut(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = [0, 0, 0, 0]
        result.reserveCapacity(bytes.count)
        var open = [Block(end: bytes.count, isTable: true, place: 0)]
        var offset = 4
        while let block = open.last {
            guard offset < block.end else {
                open.removeLast()
                let count = UInt32(truncatingIfNeeded: result.count - block.place - 4)
                withUnsafeBytes(of: count.bigEndian) { result.replaceSubrange(block.place..<block.place + 4, with: $0) }
                continue
            }
            let entry = offset
            if block.isTable { offset += 1 + Int(bytes[offset]) }
            let kind = bytes[offset]
            offset += 1
            switch kind {
            case UInt8(ascii: "F"), UInt8(ascii: "A"):
                let end = offset + 4 + Int(bytes.bigEndian(UInt32.self, at: offset))
                result += bytes[entry..<offset]
                if open.count < NestingCheck.maxDepth {
                    open.append(Block(end: end, isTable: kind == UInt8(ascii: "F"), place: result.count))
                    result += [0, 0, 0, 0]
                    offset += 4
                } else {
                    result[result.count - 1] = UInt8(ascii: "V")
                    offset = end
                }
            case UInt8(ascii: "S"), UInt8(ascii: "x"):
                offset += 4 + Int(bytes.bigEndian(UInt32.self, at: offset))
                result += bytes[entry..<offset]
            default:
                offset += NestingCheck.fixedSize(kind) ?? 0
                result += bytes[entry..<offset]
            }
        }
        return result
    }
}

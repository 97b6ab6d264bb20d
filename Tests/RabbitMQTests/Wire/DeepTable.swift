import TestSupport

/// The entries of an encoded table that nests so deep, with lengths that fit in each other.
func deepEntries(levels: Int, inArrays: Bool) -> [UInt8] {
    // Built backwards, from the inside out.
    var bytes: [UInt8] = [UInt8(ascii: "V")]
    for _ in 0..<levels {
        if !inArrays { bytes.append(0) }
        var length = PeerWriter()
        length.long(UInt32(bytes.count))
        bytes += length.bytes.reversed()
        bytes.append(UInt8(ascii: inArrays ? "A" : "F"))
    }
    bytes += [UInt8(ascii: "k"), 1]
    return bytes.reversed()
}

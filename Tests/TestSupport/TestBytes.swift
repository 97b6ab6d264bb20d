internal import Glibc

/// Large bodies for tests. An unoptimized loop over their bytes would keep a thread for seconds that other tests wait for.
public enum TestBytes {
    /// Bytes of which no two stretches that begin at different places within 64 KiB are alike.
    public static func pattern(_ count: Int) -> [UInt8] {
        let piece = (0..<min(count, 65_521)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count + piece.count < count { bytes.append(contentsOf: piece) }
        bytes.append(contentsOf: piece.prefix(count - bytes.count))
        return bytes
    }

    /// Whether both are alike, byte by byte.
    public static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count, !left.isEmpty else { return left.count == right.count }
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard let a = left.baseAddress, let b = right.baseAddress else { return false }
                return memcmp(a, b, left.count) == 0
            }
        }
    }
}

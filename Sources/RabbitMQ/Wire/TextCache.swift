#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Makes text from bytes, and hands out the previous text again when the bytes are the same.
///
/// Exchange, routing key and content type are mostly those of the message before; a text over 15 bytes costs an
/// allocation.
struct TextCache {
    private var last = ""

    @inline(__always)
    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        // Up to 15 bytes live within the String.
        guard bytes.count > 15 else { return String(wire: bytes) }
        if last.utf8.count == bytes.count {
            let same = last.utf8.withContiguousStorageIfAvailable { memcmpEqual($0, bytes) } ?? false
            if same { return last }
        }
        let text = String(wire: bytes)
        // One that stands for other bytes would be taken for its own.
        if text.utf8.count == bytes.count { last = text }
        return text
    }

    private func memcmpEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = a.baseAddress, let second = b.baseAddress else { return a.count == b.count }
        return memcmp(first, second, a.count) == 0
    }
}

internal import Glibc

/// Makes text from bytes, and hands out the previous text again when the bytes are the same.
///
/// Exchange, routing key and content type are mostly those of the message before; a text over 15 bytes costs an
/// allocation.
struct TextCache {
    private var last = ""

    @inline(__always)
    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        // Up to 15 bytes live within the String.
        guard bytes.count > 15 else { return String(decoding: bytes, as: UTF8.self) }
        if last.utf8.count == bytes.count {
            let same = last.utf8.withContiguousStorageIfAvailable { memcmpEqual($0, bytes) } ?? false
            if same { return last }
        }
        last = String(decoding: bytes, as: UTF8.self)
        return last
    }

    private func memcmpEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = a.baseAddress, let second = b.baseAddress else { return a.count == b.count }
        return memcmp(first, second, a.count) == 0
    }
}

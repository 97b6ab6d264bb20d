#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A copy of bytes that came before, to tell whether the same ones come again.
struct KeptBytes: ~Copyable {
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    private var count = 0
    /// Longer ones are not kept.
    private let longest: Int

    init(longest: Int) { self.longest = longest }

    deinit { memory?.deallocate() }

    /// Whether there are any, and these are the same.
    @inline(__always)
    func isSame(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard count == bytes.count, let memory, let base = bytes.baseAddress else { return false }
        return memcmp(memory, base, count) == 0
    }

    /// Keeps bytes instead of those before.
    ///
    /// - Returns: Whether they are kept.
    mutating func keep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        count = 0
        guard !bytes.isEmpty, bytes.count <= longest, let base = bytes.baseAddress else { return false }
        if capacity < bytes.count {
            memory?.deallocate()
            capacity = max(64, bytes.count)
            memory = .allocate(byteCount: capacity, alignment: 1)
        }
        memory?.copyMemory(from: base, byteCount: bytes.count)
        count = bytes.count
        return true
    }
}

internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Memory of rabbitmq-c's own kind, from which what it encodes and decodes is allocated, and which is emptied at once.
///
/// Not Sendable: whoever holds it (the outbox under its lock, a link on its queue) is alone with it.
final class Pool {
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init(pageSize: Int = 4096) {
        pool = .allocate(capacity: 1)
        pool.initialize(to: amqp_pool_t())
        init_amqp_pool(pool, pageSize)
    }

    deinit {
        empty_amqp_pool(pool)
        pool.deinitialize(count: 1)
        pool.deallocate()
    }

    var pointer: UnsafeMutablePointer<amqp_pool_t> { pool }

    /// Ends the life of everything allocated here, and keeps the pages for the next use.
    @inline(__always)
    func recycle() { recycle_amqp_pool(pool) }

    /// Memory for `count` values, or nil if there is none to be had.
    func allocate<T>(_ type: T.Type, count: Int) -> UnsafeMutablePointer<T>? {
        amqp_pool_alloc(pool, max(1, count) * MemoryLayout<T>.stride)?.bindMemory(to: T.self, capacity: count)
    }

    /// A copy of the bytes of a short string: a text's UTF-8, and the others that it stands for (``WireText``).
    @inline(__always)
    func shortString(_ text: String) throws(AMQPError) -> amqp_bytes_t {
        var text = text
        let copy = text.withUTF8 { bytes in
            let copy = copied(bytes.baseAddress, bytes.count)
            return WireText.isASCII(bytes) ? copy : copy.map(Self.withoutNoncharacters)
        }
        guard let copy else { throw Self.outOfMemory }
        return copy
    }

    private static func withoutNoncharacters(_ text: amqp_bytes_t) -> amqp_bytes_t {
        let bytes = text.bytes?.assumingMemoryBound(to: UInt8.self)
        return amqp_bytes_t(
            len: WireText.encode(UnsafeMutableBufferPointer(start: bytes, count: text.len)),
            bytes: text.bytes
        )
    }

    /// A copy of the bytes of a method's short string, which has to be UTF-8.
    @inline(__always)
    func text(_ text: String, _ name: StaticString) throws(AMQPError) -> amqp_bytes_t {
        var text = text
        let copy = text.withUTF8 { bytes in
            WireText.isASCII(bytes) || WireText.count(bytes) == bytes.count
                ? copied(bytes.baseAddress, bytes.count).map(Result.success)
                : .failure(ShortString.notText(name.description))
        }
        guard let copy else { throw Self.outOfMemory }
        return try copy.get()
    }

    /// A copy of a text's UTF-8 bytes.
    func bytes(_ text: String) throws(AMQPError) -> amqp_bytes_t {
        var text = text
        let copy = text.withUTF8 { copied($0.baseAddress, $0.count) }
        guard let copy else { throw Self.outOfMemory }
        return copy
    }

    func bytes(_ array: [UInt8]) throws(AMQPError) -> amqp_bytes_t {
        let copy = array.withUnsafeBufferPointer { copied($0.baseAddress, $0.count) }
        guard let copy else { throw Self.outOfMemory }
        return copy
    }

    @inline(__always)
    private func copied(_ source: UnsafePointer<UInt8>?, _ count: Int) -> amqp_bytes_t? {
        guard let source, count > 0 else { return amqp_bytes_t() }
        guard let memory = amqp_pool_alloc(pool, count) else { return nil }
        memory.copyMemory(from: source, byteCount: count)
        return amqp_bytes_t(len: count, bytes: memory)
    }

    /// Wipes a copy that was made here, which would stay until something else takes its place.
    static func wipe(_ copy: amqp_bytes_t) {
        if let bytes = copy.bytes { explicit_bzero(bytes, copy.len) }
    }

    static var outOfMemory: AMQPError { AMQPError(.internalError, "no memory for encoding") }
}

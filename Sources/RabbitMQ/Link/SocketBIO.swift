internal import CRabbitMQ
internal import Glibc

/// What OpenSSL reads and writes a socket with.
///
/// Its own writes in a way that has the system end the process (SIGPIPE) when the peer is gone.
enum SocketBIO {
    // It is written once, before anybody reads it.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket") else { return nil }
        BIO_meth_set_write(method) { bio, bytes, count in
            SocketBIO.transfer(bio, BIO_FLAGS_WRITE) { send($0, bytes, Int(count), CInt(MSG_NOSIGNAL)) }
        }
        BIO_meth_set_read(method) { bio, bytes, count in
            SocketBIO.transfer(bio, BIO_FLAGS_READ) { recv($0, bytes, Int(count), 0) }
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    /// - Returns: One that leaves the descriptor open when it is freed; nil if there is no memory.
    static func make(_ descriptor: CInt) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1))
        BIO_set_init(bio, 1)
        return bio
    }

    /// - Parameter flag: Says what to wait for, if the call can't be made now.
    private static func transfer(_ bio: OpaquePointer?, _ flag: CInt, _ call: (CInt) -> Int) -> CInt {
        BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        let count = call(CInt(truncatingIfNeeded: Int(bitPattern: BIO_get_data(bio)) - 1))
        if count < 0, [EAGAIN, EWOULDBLOCK, EINTR].contains(errno) {
            BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY)
        }
        return CInt(clamping: count)
    }
}

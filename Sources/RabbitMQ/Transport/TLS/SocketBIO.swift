internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What OpenSSL reads and writes a socket with.
///
/// Its own writes in a way that has the system end the process (SIGPIPE) when the peer is gone. And it reads for as long as
/// something comes that is not for the application: a peer that goes on sending it would keep the thread for ever. Here each
/// call of OpenSSL's reads so much at the most, and then is told to come back, as if there were no more just now.
enum SocketBIO {
    /// How many bytes a call reads at the most: more than a handshake has, with its certificates, or a record.
    static let budget = 256 << 10

    private struct State {
        let descriptor: CInt
        /// How much may still be read.
        var left = budget
    }

    // It is written once, before anybody reads it.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket") else { return nil }
        BIO_meth_set_write(method) { bio, bytes, count in
            SocketBIO.transfer(bio, BIO_FLAGS_WRITE) {
                send($0.pointee.descriptor, bytes, Int(count), CInt(MSG_NOSIGNAL))
            }
        }
        BIO_meth_set_read(method) { bio, bytes, count in
            SocketBIO.transfer(bio, BIO_FLAGS_READ) { SocketBIO.read($0, bytes, Int(count)) }
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        BIO_meth_set_destroy(method) { bio in
            SocketBIO.state(of: bio)?.deallocate()
            return 1
        }
        return method
    }()

    /// - Returns: One that leaves the descriptor open when it is freed; nil if there is no memory.
    static func make(_ descriptor: CInt) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State(descriptor: descriptor))
        BIO_set_data(bio, state)
        BIO_set_init(bio, 1)
        return bio
    }

    /// Has the next call of OpenSSL's read as much as it may.
    static func refill(_ ssl: OpaquePointer) { state(of: SSL_get_rbio(ssl))?.pointee.left = budget }

    /// Whether the last call stopped because it had read as much as it may: there may be more.
    static func isSpent(_ ssl: OpaquePointer) -> Bool {
        state(of: SSL_get_rbio(ssl)).map { $0.pointee.left <= 0 } ?? false
    }

    private static func state(of bio: OpaquePointer?) -> UnsafeMutablePointer<State>? {
        bio.flatMap { BIO_get_data($0) }?.assumingMemoryBound(to: State.self)
    }

    private static func read(
        _ state: UnsafeMutablePointer<State>,
        _ bytes: UnsafeMutablePointer<CChar>?,
        _ count: Int
    ) -> Int {
        guard state.pointee.left > 0 else {
            errno = EAGAIN
            return -1
        }
        let received = recv(state.pointee.descriptor, bytes, count, 0)
        state.pointee.left -= max(0, received)
        return received
    }

    /// - Parameter flag: Says what to wait for, if the call can't be made now.
    private static func transfer(
        _ bio: OpaquePointer?,
        _ flag: CInt,
        _ call: (UnsafeMutablePointer<State>) -> Int
    ) -> CInt {
        BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        guard let state = state(of: bio) else { return -1 }
        let count = call(state)
        if count < 0, [EAGAIN, EWOULDBLOCK, EINTR].contains(errno) {
            BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY)
        }
        return CInt(clamping: count)
    }
}

import Glibc
import Testing

/// Two ends of a connection, for as long as it is held.
final class SocketPair: Sendable {
    let client: CInt
    let peer: CInt

    init() throws {
        var pair: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
        (client, peer) = (pair[0], pair[1])
    }

    deinit { for descriptor in [client, peer] { close(descriptor) } }
}

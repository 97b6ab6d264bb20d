import CRabbitMQ
import Glibc
import Testing

@testable import RabbitMQ

/// As OpenSSL calls it.
@Suite("the socket as OpenSSL has it")
struct SocketBIOTests {
    /// A BIO over one end of a pair of sockets that never block.
    private final class Pair {
        let bio: OpaquePointer
        let client: CInt
        private(set) var peer: CInt

        init() throws {
            var ends: [CInt] = [-1, -1]
            let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
            (client, peer) = (ends[0], ends[1])
            bio = try #require(SocketBIO.make(client))
        }

        deinit {
            BIO_free(bio)
            close(client)
            leave()
        }

        func leave() {
            if peer >= 0 { close(peer) }
            peer = -1
        }

        func say(_ bytes: [UInt8]) { #expect(send(peer, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count) }

        func read(_ count: CInt = 64) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: Int(count))
            errno = 0
            let received = BIO_read(bio, &bytes, count)
            return received < 0 ? nil : Array(bytes.prefix(Int(received)))
        }

        func write(_ bytes: [UInt8]) -> CInt {
            errno = 0
            return BIO_write(bio, bytes, CInt(bytes.count))
        }

        /// What OpenSSL is told to wait for; 0 if it shall not try again.
        var awaited: CInt {
            BIO_test_flags(bio, BIO_FLAGS_SHOULD_RETRY) == 0 ? 0 : BIO_test_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE)
        }
    }

    @Test func `reads what has come, and no more than is wanted`() throws {
        let pair = try Pair()
        pair.say([1, 2, 3])
        #expect(pair.read(2) == [1, 2])
        #expect(pair.read() == [3])
        #expect(pair.awaited == 0)
    }

    @Test func `is to be read again when there is nothing now, and then again`() throws {
        let pair = try Pair()
        for byte in UInt8(1)...100 {
            #expect(pair.read() == nil)
            #expect(errno == EAGAIN)
            #expect(pair.awaited == BIO_FLAGS_READ)
            pair.say([byte])
            #expect(pair.read() == [byte])
            #expect(pair.awaited == 0)
        }
    }

    @Test func `gives what came before the peer left, and then the end, each time`() throws {
        let pair = try Pair()
        pair.say([1])
        pair.leave()
        #expect(pair.read() == [1])
        for _ in 0..<3 {
            #expect(pair.read() == [])
            #expect(pair.awaited == 0)
        }
    }

    @Test func `does not try again after a reset`() throws {
        let pair = try Pair()
        #expect(pair.write([1]) == 1)
        // Of a peer that has not read all, this is one.
        pair.leave()
        #expect(pair.read() == nil)
        #expect(errno == ECONNRESET)
        #expect(pair.awaited == 0)
    }

    @Test func `ends no process when it writes to a peer that has left`() throws {
        let pair = try Pair()
        pair.leave()
        #expect(pair.write([1]) == -1)
        #expect(errno == EPIPE)
        #expect(pair.awaited == 0)
    }

    @Test func `writes as much as is taken, and then is to be written again`() throws {
        let pair = try Pair()
        let much = [UInt8](repeating: 7, count: 1 << 20)
        var written = 0
        while case let count = pair.write(much), count > 0 {
            #expect(pair.awaited == 0)
            written += Int(count)
        }
        #expect(written > 0)
        #expect(errno == EAGAIN)
        #expect(pair.awaited == BIO_FLAGS_WRITE)
        // Reading does not change that it can be read.
        pair.say([1])
        #expect(pair.read() == [1])
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        while recv(pair.peer, &bytes, bytes.count, 0) > 0 {}
        #expect(pair.write([1]) == 1)
        #expect(pair.awaited == 0)
    }

    @Test func `is told what it was asked for last`() throws {
        let pair = try Pair()
        #expect(pair.read() == nil)
        #expect(pair.awaited == BIO_FLAGS_READ)
        #expect(pair.write([1]) == 1)
        #expect(pair.awaited == 0)
    }

    @Test func `fails for good over a descriptor that is none`() throws {
        let bio = try #require(SocketBIO.make(-1))
        defer { BIO_free(bio) }
        var byte: UInt8 = 0
        #expect(BIO_read(bio, &byte, 1) == -1)
        #expect(BIO_test_flags(bio, BIO_FLAGS_SHOULD_RETRY) == 0)
        #expect(BIO_write(bio, &byte, 1) == -1)
        #expect(BIO_test_flags(bio, BIO_FLAGS_SHOULD_RETRY) == 0)
    }

    @Test func `leaves the descriptor open when it is freed`() throws {
        let pair = try Pair()
        let other = try #require(SocketBIO.make(pair.client))
        BIO_free(other)
        pair.say([1])
        #expect(pair.read() == [1])
    }

    @Test func `stops after so many bytes, as if there were no more, until it may read again`() throws {
        let pair = try Pair()
        var tls = ConnectionConfiguration.TLS()
        tls.verification = .none
        let context = try TLSContext(tls, peerName: PeerName("localhost"))
        let ssl = try #require(SSL_new(context.context))
        defer { SSL_free(ssl) }
        #expect(BIO_up_ref(pair.bio) == 1)
        SSL_set_bio(ssl, pair.bio, pair.bio)
        let piece = [UInt8](repeating: 1, count: 32 << 10)
        for _ in 0..<2 {
            SocketBIO.refill(ssl)
            #expect(!SocketBIO.isSpent(ssl))
            var received = 0
            while true {
                pair.say(piece)
                guard let bytes = pair.read(CInt(piece.count)) else { break }
                received += bytes.count
            }
            #expect(received == SocketBIO.budget)
            #expect(SocketBIO.isSpent(ssl))
            #expect(pair.awaited == BIO_FLAGS_READ)
            // What it writes is not counted.
            #expect(pair.write([1]) == 1)
        }
    }
}

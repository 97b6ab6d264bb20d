import Glibc
import TestSupport
import Testing

/// The other end of all the tests is made without the library, and tested without it.
@Suite("the peer that plays the broker", .timeLimit(.minutes(1)))
struct ScriptedPeerTests {
    private static let header = Array("AMQP".utf8) + [0, 0, 9, 1]

    private func write(_ bytes: [UInt8], to peer: ScriptedPeer) {
        #expect(send(peer.clientSocket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    /// How many bytes the client has written that the peer has not read.
    private func unread(_ peer: ScriptedPeer) -> Int32 {
        var count: Int32 = -1
        _ = ioctl(peer.clientSocket, UInt(TIOCOUTQ), &count)
        return count
    }

    /// Lends a peer that has read the protocol header, and closes the client's end.
    private func withPeer(patience: Duration = .seconds(10), _ body: (ScriptedPeer) async throws -> Void) async throws {
        let peer = try ScriptedPeer(patience: patience)
        defer { close(peer.clientSocket) }
        write(Self.header, to: peer)
        try await peer.expectProtocolHeader()
        try await body(peer)
    }

    @Test func `takes frames apart, however their bytes come`() async throws {
        try await withPeer { peer in
            let first = PeerFrame.method(.basicQos, channel: 7) { $0.long(9) }
            let bytes = first.bytes + PeerFrame.heartbeat.bytes
            for byte in bytes {
                write([byte], to: peer)
                try await eventually("it is read") { unread(peer) == 0 }
            }
            #expect(try await peer.nextFrame() == first)
            #expect(try await peer.nextFrame() == .heartbeat)
            var broken = PeerFrame.heartbeat.bytes
            broken[7] = 0
            write(broken, to: peer)
            #expect(try await peer.nextFrame().type == 0xFF)
        }
    }

    @Test func `reads nothing while it pauses, and all of it after that`() async throws {
        try await withPeer { peer in
            peer.pauseReading()
            write(PeerFrame.heartbeat.bytes, to: peer)
            let before = unread(peer)
            #expect(before > 0)
            // A condition that must never come true.
            await #expect(throws: ConditionTimeout.self) {
                try await eventually("it reads", within: .milliseconds(50)) { unread(peer) != before }
            }
            #expect(peer.pendingFrames.isEmpty)
            peer.resumeReading()
            let frame = try await peer.nextFrame()
            #expect(frame == .heartbeat)
        }
    }

    @Test func `hears that the client has gone, also when it had paused`() async throws {
        for pauses in [false, true] {
            let peer = try ScriptedPeer()
            if pauses { peer.pauseReading() }
            write(Self.header + PeerFrame.heartbeat.bytes, to: peer)
            close(peer.clientSocket)
            if pauses { peer.resumeReading() }
            try await peer.expectProtocolHeader()
            #expect(try await peer.expectEnd() == [.heartbeat])
            #expect(peer.isEnded)
        }
    }

    @Test func `waits no longer than it is patient, nor when nothing can come any more`() async throws {
        try await withPeer(patience: .milliseconds(50)) { peer in
            let start = ContinuousClock.now
            await #expect(throws: PeerError.self) { try await peer.nextFrame() }
            #expect(ContinuousClock.now - start >= .milliseconds(50))
        }
        try await withPeer(patience: .seconds(1000)) { peer in
            peer.hangUp()
            await #expect(throws: PeerError.self) { try await peer.nextFrame() }
            var byte: UInt8 = 0
            #expect(recv(peer.clientSocket, &byte, 1, 0) == 0)
        }
    }

    @Test func `a listener that is stopped takes nobody, and lets those go on that it has`() async throws {
        let listener = try RudeListener(.says([1, 2, 3]))
        let first = try TCPProxy.connectedSocket(toLoopback: listener.port)
        defer { close(first) }
        try await eventually("it is accepted") { listener.acceptedCount == 1 }
        listener.stop()
        try await eventually("nobody listens") {
            guard let second = try? TCPProxy.connectedSocket(toLoopback: listener.port) else { return true }
            close(second)
            return false
        }
        #expect(send(first, [9], 1, Int32(MSG_NOSIGNAL)) == 1)
        var answer = [UInt8](repeating: 0, count: 3)
        try await eventually("an answer") { recv(first, &answer, 3, Int32(MSG_DONTWAIT)) == 3 }
        #expect(answer == [1, 2, 3])
        #expect(listener.leftCount == 0)
    }
}

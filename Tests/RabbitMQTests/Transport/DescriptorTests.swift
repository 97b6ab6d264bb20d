import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the descriptor of a connection", .timeLimit(.minutes(1)))
struct DescriptorTests {
    @Test func `danger: a connection that gets the number of one that ended hears its peer`() async throws {
        var reused = 0
        for round in 0..<200 {
            let first = try ScriptedPeer()
            let number = first.clientSocket
            let connection = try await first.connect()
            // In turn: closed by us, by the peer, broken, with a full socket.
            switch round % 4 {
            case 0:
                async let closing: Void = connection.close()
                try await first.expectClose()
                await closing
            case 1: try await first.sendClose(.connectionClose, channel: 0, code: 320, text: "")
            case 2: try await first.send([9, 9, 9, 9, 9, 9, 9, 9])
            default: first.hangUp()
            }
            _ = try await within(.seconds(10), "the end") { try await connection.closed }
            try await first.expectEnd()
            let second = try ScriptedPeer()
            if second.clientSocket == number { reused += 1 }
            let next = try await second.connect()
            let channel = try await second.openChannel(on: next)
            async let closing: Void = next.close()
            try await second.expectClose()
            await closing
            withExtendedLifetime(channel) {}
        }
        // Other tests open descriptors at the same time; mostly it is the same number.
        #expect(reused > 0)
    }

    @Test func `danger: connections that are reset leave the others alone`() async throws {
        try await RudeListener.run(.resets) { listener in
            let ends = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var ends = 0
                        for _ in 0..<200 {
                            var configuration = ConnectionConfiguration()
                            configuration.endpoints = [
                                ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: listener.port)
                            ]
                            let error = try await thrownError { [configuration] in
                                try await Connection.connect(configuration)
                            }
                            if error.code == .connectionLost { ends += 1 }
                        }
                        return ends
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(ends == 800)
        }
    }

    @Test func `a socket that is given is closed in programs that are started`() async throws {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        _ = fcntl(peer.clientSocket, F_SETFD, 0)
        let connection = try await peer.connect()
        #expect(fcntl(peer.clientSocket, F_GETFD) & FD_CLOEXEC != 0)
        withExtendedLifetime(connection) {}
    }

    @Test func `the link is freed with everything that it holds`() async throws {
        weak var link: Link?
        let peer = try ScriptedPeer()
        func connectAndClose() async throws {
            let connection = try await peer.connect()
            link = connection.link
            let channel = try await peer.openChannel(on: connection)
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            peer.hangUp()
            _ = try await within(.seconds(10), "the end") { try await connection.closed }
        }
        try await connectAndClose()
        try await eventually("the link is freed") { link == nil }
    }
}

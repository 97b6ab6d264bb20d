import TestSupport
import Testing

@testable import RabbitMQ

@Suite("messages that have begun", .timeLimit(.minutes(1)))
struct BegunMessagesTests {
    @Test func `count together, but one alone is never too much`() {
        let begun = BegunMessages(limit: 100)
        #expect(!begun.exceedsLimit(changingBy: 150, own: 150))
        #expect(begun.exceedsLimit(changingBy: 1, own: 1))
        #expect(!begun.exceedsLimit(changingBy: -150, own: 0))
        #expect(!begun.exceedsLimit(changingBy: 99, own: 100))
    }

    @Test func `an assembly says what it holds`() throws {
        var assembly = MessageAssembly<Int>()
        try assembly.begin(1)
        #expect(assembly.heldBytes == 0)
        let header = ContentHeader(bodySize: 10, message: Message(body: [], contentType: nil, timestamp: nil))
        _ = try assembly.receive(header, limit: 10)
        let footprint = assembly.heldBytes
        #expect(footprint > 0)
        func receive(_ count: Int) throws -> (Int, Message)? {
            try [UInt8](repeating: 7, count: count).withUnsafeBytes { try assembly.receive(body: $0) }
        }
        #expect(try receive(4) == nil)
        #expect(assembly.heldBytes == footprint + 4)
        #expect(try receive(6) != nil)
        #expect(assembly.heldBytes == 0)
    }

    /// Channels with a consumer each, numbered from 1.
    private func withChannels(
        _ count: Int,
        _ body: (ScriptedPeer, Connection, [Channel], [Deliveries]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withConnection(configure: { $0.maxMessageSize = 100_000 }) { peer, connection in
            var (channels, all): ([Channel], [Deliveries]) = ([], [])
            for _ in 0..<count {
                let channel = try await peer.openChannel(on: connection)
                channels.append(channel)
                all.append(try await peer.consume(try await peer.declareQueue(on: channel)))
            }
            try await body(peer, connection, channels, all)
        }
    }

    private func begin(_ peer: ScriptedPeer, _ deliveries: Deliveries, size: Int, part: Int) async throws {
        let channel = UInt16(deliveries.consumer.source.session.number)
        try await peer.send(
            PeerFrame.delivery([], tag: 1, consumer: deliveries.consumer.tag, channel: channel)[0],
            .header(channel: channel, bodySize: UInt64(size)),
            .body(channel: channel, [UInt8](repeating: 1, count: part))
        )
    }

    @Test func `are bounded for the whole connection: whose is too much closes its channel, the others go on`()
        async throws
    {
        try await withChannels(12) { peer, connection, channels, all in
            for deliveries in all { try await begin(peer, deliveries, size: 90_000, part: 60_000) }
            for number in 2...12 as ClosedRange<UInt16> {
                var fields = try await peer.expect(.channelClose, channel: number).fields
                #expect(fields.short() == 311)
                try await peer.send(.channelCloseOk, channel: number)
            }
            for deliveries in all.dropFirst() {
                #expect(try await thrownError { for try await _ in deliveries {} }.code == .contentTooLarge)
            }
            try await peer.send(.body(channel: 1, [UInt8](repeating: 1, count: 30_000)))
            var first = all[0].makeAsyncIterator()
            #expect(try await first.next()?.body.count == 90_000)
            #expect(connection.closeReason == nil)
            withExtendedLifetime(channels) {}
        }
    }

    @Test func `count no more once they are whole, or their channel has gone`() async throws {
        try await withChannels(4) { peer, connection, channels, all in
            try await begin(peer, all[0], size: 90_000, part: 60_000)
            try await peer.send(.body(channel: 1, [UInt8](repeating: 1, count: 30_000)))
            try await begin(peer, all[1], size: 90_000, part: 60_000)
            try await peer.sendClose(.channelClose, channel: 2, code: 404, text: "gone")
            try await peer.expect(.channelCloseOk, channel: 2)
            try await begin(peer, all[2], size: 90_000, part: 60_000)
            async let closing: Void = channels[2].close()
            while try await peer.next().method != .channelClose {}
            // What comes of it still takes nothing.
            try await peer.send(.body(channel: 3, [1]))
            try await begin(peer, all[3], size: 90_000, part: 90_000)
            var last = all[3].makeAsyncIterator()
            #expect(try await last.next()?.body.count == 90_000)
            try await peer.send(.channelCloseOk, channel: 3)
            await closing
            #expect(connection.closeReason == nil)
        }
    }
}

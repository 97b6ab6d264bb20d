import RabbitMQ
import TestSupport
import Testing

@Suite("Waiting for confirms", .timeLimit(.minutes(1)))
struct PendingConfirmTests {
    private let log = CapturedLog()

    private func withConfirms(_ body: (ScriptedPeer, Channel) async throws -> Void) async throws {
        try await ScriptedPeer.withChannel(configure: { $0.logger = log.logger }) { peer, _, channel in
            async let selected: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10), channel: 1)
            try await peer.send(.confirmSelectOk)
            try await selected
            try await body(peer, channel)
        }
    }

    private func publish(on channel: Channel, _ peer: ScriptedPeer) async throws -> PublishReceipt {
        let receipt = try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "k")
        _ = try await peer.expectPublish()
        return receipt
    }

    private func nack(_ peer: ScriptedPeer, _ number: UInt64) async throws {
        try await peer.send(.basicNack) {
            $0.longLong(number)
            $0.octet(0)
        }
    }

    private var unseen: Int { log.entries(containing: "nobody waited for").count }

    @Test("a failure after the last wait was given up or cancelled is logged")
    func unseenFailure() async throws {
        try await withConfirms { peer, channel in
            func giveUpTwice() async throws {
                let receipt = try await publish(on: channel, peer)
                let error = try await thrownError { try await receipt.confirmed(timeout: .milliseconds(1)) }
                #expect(error.code == .timedOut)
                let waiting = Task { try await receipt.confirmed() }
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
            }
            try await giveUpTwice()
            try await nack(peer, 1)
            try await eventually("the failure is logged") { unseen == 1 }
        }
    }

    @Test("a failure that somebody waits for is not logged, though others have given up")
    func seenFailure() async throws {
        try await withConfirms { peer, channel in
            func seeOne() async throws {
                let receipt = try await publish(on: channel, peer)
                _ = try await thrownError { try await receipt.confirmed(timeout: .milliseconds(1)) }
                let waiting = Task { try await receipt.confirmed() }
                try await nack(peer, 1)
                let error = try await thrownError { try await waiting.value }
                #expect(error.code == .nacked)
            }
            func seeNone() async throws { _ = try await publish(on: channel, peer) }
            try await seeOne()
            // What is logged for the second was not for the first.
            try await seeNone()
            try await nack(peer, 2)
            try await eventually("a failure is logged") { unseen > 0 }
            #expect(unseen == 1)
        }
    }

    @Test("all who wait for one message are told, but for who has given up")
    func severalWaiters() async throws {
        try await withConfirms { peer, channel in
            let receipt = try await publish(on: channel, peer)
            let waiting = (0..<4).map { _ in Task { try await receipt.confirmed() } }
            for index in [0, 2] {
                waiting[index].cancel()
                await #expect(throws: CancellationError.self) { try await waiting[index].value }
            }
            try await peer.sendAck(1)
            for index in [1, 3] { try await waiting[index].value }
        }
    }

    @Test("waiting for all takes no longer than its one timeout, however many there are")
    func oneDeadline() async throws {
        try await withConfirms { peer, channel in
            var receipts: [PublishReceipt] = []
            for _ in 0..<20 { receipts.append(try await publish(on: channel, peer)) }
            let (start, metronome) = (ContinuousClock.now, Metronome())
            let error = try await thrownError { try await channel.waitForConfirms(timeout: .milliseconds(300)) }
            #expect(error.code == .timedOut)
            // One after the other they would take six seconds.
            #expect(ContinuousClock.now - start < .seconds(3) + metronome.lateness)
        }
    }
}

import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("a message whose handler ends", .timeLimit(.minutes(1)))
struct CancelledHandlerTests {
    private struct Failure: Error {}

    @Test(arguments: [true, false])
    func `goes back by nack if it was cancelled, and by reject, which counts, if it failed`(cancelled: Bool)
        async throws
    {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            let message = try #require(try await iterator.next())
            let task = Task {
                try await message.process(onFailure: .requeue) { _ in
                    if !cancelled { throw Failure() }
                    try await Task.sleep(for: .seconds(60))
                }
            }
            if cancelled { task.cancel() }
            await #expect(throws: (any Error).self) { try await task.value }
            var fields = try await peer.expect(cancelled ? .basicNack : .basicReject).fields
            #expect(fields.longLong() == 1)
            #expect(fields.octet() == (cancelled ? 2 : 1))
            withExtendedLifetime(iterator) {}
        }
    }

    @Test func `has failed where something else was cancelled, and does not come again for ever`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            let message = try #require(try await iterator.next())
            await #expect(throws: CancellationError.self) {
                try await message.process(onFailure: .deadLetter) { _ in throw CancellationError() }
            }
            var fields = try await peer.expect(.basicReject).fields
            let (tag, requeue) = (fields.longLong(), fields.octet())
            #expect(tag == 1)
            #expect(requeue == 0)
            withExtendedLifetime(iterator) {}
        }
    }

    @Test func `goes back where its callback gives up because its consumer was cancelled`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let begun = Mutex(false)
            let (stream, goOn) = AsyncStream<Void>.makeStream()
            let callback: Consumer.Callback = { _ in
                begun.withLock { $0 = true }
                for await _ in stream {}
                throw CancellationError()
            }
            async let consuming = queue.consume(onFailure: .deadLetter, callback: callback)
            try await peer.startConsumer()
            let consumer = try await consuming
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: consumer.tag))
            try await eventually("it runs") { begun.withLock { $0 } }
            async let cancelling: Void = consumer.cancel()
            try await peer.expect(.basicCancel)
            try await peer.send(.basicCancelOk) { $0.shortString(consumer.tag) }
            try await cancelling
            goOn.finish()
            var fields = try await peer.expect(.basicNack).fields
            let (tag, flags) = (fields.longLong(), fields.octet())
            #expect(tag == 1)
            #expect(flags == 2)
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("going through a consumer's messages", .timeLimit(.minutes(1)))
struct DeliveryCursorTests {
    private let consumers = UnconnectedConsumers()

    private func deliver(_ tags: ClosedRange<UInt64>, to consumer: Consumer) {
        guard case .taken = consumer.buffer.append(consumers.run(tags, for: consumer)) else {
            Issue.record("the consumer has ended")
            return
        }
    }

    @Test func `what came together is at hand, and only the first of it is waited for`() async throws {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        deliver(1...3, to: consumer)
        #expect(try cursor.nextAtHand() == nil)
        #expect(try await cursor.next()?.deliveryTag == 1)
        #expect(try cursor.nextAtHand()?.deliveryTag == 2)
        // What comes later is no part of it.
        deliver(4...4, to: consumer)
        #expect(try await cursor.next()?.deliveryTag == 3)
        #expect(try cursor.nextAtHand() == nil)
        #expect(try await cursor.next()?.deliveryTag == 4)
    }

    @Test func `who comes before the messages gets them as they come`() async throws {
        let consumer = consumers.consumer("c")
        let taking = Task {
            let cursor = DeliveryCursor(consumer)
            return [try await cursor.next()?.deliveryTag, try await cursor.next()?.deliveryTag]
        }
        deliver(1...1, to: consumer)
        try await eventually("the first is taken") { consumer.buffer.waitingBytes == 0 }
        deliver(2...2, to: consumer)
        #expect(try await taking.value == [1, 2])
    }

    @Test func `after the last message it tells the end`() async throws {
        let (cancelled, failed) = (consumers.consumer("a"), consumers.consumer("b"))
        deliver(1...1, to: cancelled)
        deliver(2...2, to: failed)
        _ = cancelled.buffer.end(nil, cuts: false)
        _ = failed.buffer.end(AMQPError(.consumerCancelled, "by the broker"), cuts: false)
        let (first, second) = (DeliveryCursor(cancelled), DeliveryCursor(failed))
        #expect(try await first.next()?.deliveryTag == 1)
        #expect(try await first.next() == nil)
        #expect(try await first.next() == nil)
        #expect(try await second.next()?.deliveryTag == 2)
        let error = await #expect(throws: AMQPError.self) { try await second.next() }
        #expect(error?.code == .consumerCancelled)
    }

    @Test func `when what is left is cut off, it gives back what it has at hand`() async throws {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        deliver(1...3, to: consumer)
        let first = try #require(try await cursor.next())
        consumer.cancelInBackground()
        #expect(try await cursor.next() == nil)
        // The first was seen, and is its owner's.
        #expect(consumers.session.unsettled(among: [1, 2, 3]) == [1])
        #expect(consumer.buffer.unseenTags(of: consumer.source).isEmpty && !consumer.buffer.hasUnseen)
        withExtendedLifetime(first) {}
    }

    @Test func `a task that is cancelled ends the consumer, and gives back what it has at hand`() async throws {
        let consumer = consumers.consumer("c")
        deliver(1...3, to: consumer)
        let taking = Task {
            let cursor = DeliveryCursor(consumer)
            let first = try await cursor.next()?.deliveryTag
            withUnsafeCurrentTask { $0?.cancel() }
            await #expect(throws: CancellationError.self) { try await cursor.next() }
            return first
        }
        #expect(try await taking.value == 1)
        #expect(consumer.isCancelling)
        #expect(consumers.session.unsettled(among: [1, 2, 3]) == [1])
    }

    @Test func `a task that is cancelled while it waits ends the consumer`() async throws {
        let consumer = consumers.consumer("c")
        let taking = Task { _ = try await DeliveryCursor(consumer).next() }
        taking.cancel()
        await #expect(throws: CancellationError.self) {
            try await within(.seconds(10), "the end") { try await taking.value }
        }
        #expect(consumer.isCancelling)
    }

    @Test func `who leaves ends the consumer, and gives back what nobody has seen`() async throws {
        let consumer = consumers.consumer("c")
        var cursor: DeliveryCursor? = DeliveryCursor(consumer)
        deliver(1...3, to: consumer)
        #expect(try await cursor?.next()?.deliveryTag == 1)
        deliver(4...5, to: consumer)
        #expect(!consumer.isCancelling)
        cursor = nil
        #expect(consumer.isCancelling)
        #expect(consumers.session.unsettled(among: [1, 2, 3, 4, 5]) == [1])
        #expect(!consumer.buffer.hasUnseen)
    }

    @Test func `it has a decoder only while it has messages at hand`() async throws {
        let shelf = consumers.session.link.decoders
        let decoder = shelf.take()
        shelf.put(decoder)
        let consumer = consumers.consumer("c")
        var cursor: DeliveryCursor? = DeliveryCursor(consumer)
        deliver(1...2, to: consumer)
        #expect(try await cursor?.next() != nil)
        #expect(shelf.take() !== decoder)
        _ = consumer.buffer.end(nil, cuts: false)
        #expect(try await cursor?.next() != nil)
        #expect(try await cursor?.next() == nil)
        #expect(shelf.take() === decoder)
        cursor = nil
    }

    @Test func `whether one need not wait is told, until the time has come`() async throws {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        let batch: [IncomingMessage] = []
        #expect(await !cursor.isReady(before: MonotonicTime.now + 20_000_000, holding: batch))
        deliver(1...2, to: consumer)
        #expect(await cursor.isReady(before: MonotonicTime.now + 60_000_000_000, holding: batch))
        _ = try await cursor.next()
        // The second is at hand, whatever the time.
        #expect(await cursor.isReady(before: 0, holding: batch))
        _ = try await cursor.next()
        #expect(await !cursor.isReady(before: 0, holding: batch))
        _ = consumer.buffer.end(nil, cuts: false)
        #expect(await cursor.isReady(before: 0, holding: batch))
    }

    @Test func `a message that can't be decoded is thrown, and ends the connection`() async throws {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        var frames = PeerFrame.delivery([1], tag: 1, consumer: "c")
        // It says that there is a content type, and has none.
        frames[1] = .header(channel: 1, bodySize: 1, properties: [0x80, 0])
        let bytes = frames.flatMap(\.bytes)
        let chunk = ReceiveChunk(capacity: bytes.count)
        UnsafeMutableRawBufferPointer(start: chunk.base, count: bytes.count).copyBytes(from: bytes)
        let intake = ConsumerIntake(consumer)
        intake.append(chunk, 0..<bytes.count)
        intake.handOver()
        let error = await #expect(throws: AMQPError.self) { try await cursor.next() }
        #expect(error?.code == .protocolViolation)
        let link = consumers.session.link
        let end = try await within(.seconds(10), "the end of the link") { try await link.ended.wait() }
        #expect(end.code == .protocolViolation)
    }

    @Test func `after an interruption what it holds is dropped, not settled, and what comes then is seen`() async throws
    {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        deliver(1...3, to: consumer)
        #expect(try await cursor.next()?.deliveryTag == 1)
        // As its session's end does: nothing can be sent on that any more.
        consumers.session.finish(AMQPError(.connectionLost, "lost"), isReplaced: true)
        _ = try consumers.sent()
        consumer.interrupt()
        deliver(7...8, to: consumer)
        #expect(try await cursor.next()?.deliveryTag == 7)
        #expect(try cursor.nextAtHand()?.deliveryTag == 8)
        #expect(try consumers.sent().isEmpty)
        #expect(!consumer.isCancelling)
    }

    @Test func `before it has taken anything an interruption is nothing to it`() async throws {
        let consumer = consumers.consumer("c")
        let cursor = DeliveryCursor(consumer)
        consumer.interrupt()
        consumer.interrupt()
        deliver(1...2, to: consumer)
        #expect(try await cursor.next()?.deliveryTag == 1)
        #expect(try cursor.nextAtHand()?.deliveryTag == 2)
    }

    @Test func `what needs no settling is still seen after an interruption`() async throws {
        let consumer = consumers.consumer("c", noAck: true)
        let cursor = DeliveryCursor(consumer)
        deliver(1...3, to: consumer)
        #expect(try await cursor.next()?.deliveryTag == 1)
        consumer.interrupt()
        #expect(try cursor.nextAtHand()?.deliveryTag == 2)
        #expect(try cursor.nextAtHand()?.deliveryTag == 3)
    }
}

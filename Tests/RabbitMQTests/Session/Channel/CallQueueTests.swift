import Testing

@testable import RabbitMQ

@Suite("the calls of a channel")
struct CallQueueTests {
    private var calls = CallQueue()

    private static func consume(_ tag: String) -> PendingCall {
        PendingCall(
            method: .basicConsume(ClientMethod.Consume(queue: "q", consumerTag: tag)),
            reply: OneShot()
        )
    }

    private static func call(_ method: ClientMethod) -> PendingCall { PendingCall(method: method, reply: OneShot()) }

    @Test mutating func `the channel answers in order, queues when they like`() {
        for call in [Self.consume("a"), Self.call(.txSelect), Self.consume("b")] { calls.append(call) }
        #expect(calls.next?.method == .txSelect)
        #expect(calls.take(answeredBy: .basicConsumeOk(consumerTag: "b")) != nil)
        #expect(calls.take(answeredBy: .basicConsumeOk(consumerTag: "b")) == nil)
        #expect(calls.take(answeredBy: .txSelectOk)?.method == .txSelect)
        #expect(calls.next == nil)
        #expect(calls.removeAll().count == 1)
        #expect(calls.removeAll().isEmpty)
    }

    @Test mutating func `some may bring deliveries, and one takes them back`() {
        calls.append(Self.call(.txSelect))
        #expect(!calls.mayBringDeliveries && !calls.isRecovering)
        calls.append(Self.call(.basicGet(queue: "q", noAck: false)))
        #expect(calls.mayBringDeliveries && !calls.isRecovering)
        calls.append(Self.call(.basicRecover(requeue: true)))
        #expect(calls.isRecovering)
        #expect(calls.forDeliveries.isEmpty)
    }

    @Test mutating func `one that nobody waits for, or no more, is not awaited`() {
        calls.append(PendingCall(method: .txSelect, reply: OneShot(), isAwaited: false))
        #expect(!calls.isAwaited)
        let call = Self.call(.txSelect)
        calls.append(call)
        #expect(calls.isAwaited)
        call.reply.fail(CancellationError())
        #expect(!calls.isAwaited)
    }
}

/// Passes over what comes for a channel that has ended: RabbitMQ goes on delivering behind its own channel.close until it
/// has read our close-ok. To take such a frame for a violation would end the connection, and every other channel on it.
final class LateFrames: ChannelInbox {
    /// Always, so that it takes no part in a batch.
    var isInBatch: Bool {
        get { true }
        set {}
    }
    var delivered: Int { 0 }
    var recipients: Int { 0 }
    var credit: Int { 0 }
    var slowConsumers: [SlowConsumer] { [] }
    var unconfirmed: Int { 0 }
    var settlementWriter: (any SettlementWriter)? { nil }

    func receive(_ method: ServerMethod) -> Bool { false }
    func receive(_ delivery: DeliveryView) {}
    func receive(_ header: consuming ContentHeader) {}
    func receive(body: UnsafeRawBufferPointer) {}
    func endBatch(isForMany: Bool) {}
    func retireConsumers(_ reason: AMQPError, then: @escaping () -> Void) { then() }
    func end(_ error: AMQPError) {}

    func receive(_ deliveries: WholeDeliveries, from offset: Int, in chunk: ReceiveChunk, at start: Int) -> Int {
        // None at once: they come frame by frame.
        offset
    }
}

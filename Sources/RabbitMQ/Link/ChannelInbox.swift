/// What receives the frames of one channel, on the link's queue. Whatever it throws ends the link.
protocol ChannelInbox: AnyObject {
    /// Takes a method, and says whether the channel is closed now on both sides: then its number is free.
    func receive(_ method: ServerMethod) throws(AMQPError) -> Bool
    func receive(_ delivery: DeliveryView) throws(AMQPError)
    /// Takes the deliveries that come next, as far as they have come whole.
    ///
    /// - Parameters:
    ///   - deliveries: What finds them.
    ///   - offset: Where the first begins.
    ///   - chunk: Where they were received.
    ///   - start: Where in the chunk offsets count from.
    /// - Returns: Where the first begins that was not taken, whose frames are to be received one by one.
    func receive(
        _ deliveries: WholeDeliveries,
        from offset: Int,
        in chunk: ReceiveChunk,
        at start: Int
    ) throws(AMQPError) -> Int
    func receive(_ header: consuming ContentHeader) throws(AMQPError)
    func receive(body: UnsafeRawBufferPointer) throws(AMQPError)
    /// How many messages came in the current batch.
    var delivered: Int { get }
    /// How many consumers got something in the current batch.
    var recipients: Int { get }
    /// How many deliveries come at least before the broker waits for settlements; not more than the limit of one consumer
    /// says.
    var credit: Int { get }
    /// The consumers for which messages wait.
    var slowConsumers: [SlowConsumer] { get }
    /// How many messages were published whose outcome the broker has not told.
    var unconfirmed: Int { get }
    /// What has its acknowledgements to write, if it may have some.
    var settlementWriter: (any SettlementWriter)? { get }
    /// Whether it got something since the last ``endBatch(isForMany:)``.
    var isInBatch: Bool { get set }
    /// Everything that was received at once has been handed over: hand on what was put together.
    ///
    /// - Parameter isForMany: Whether many consumers of the link got something, as they will in the next batch.
    func endBatch(isForMany: Bool)
    /// Ends its consumers before the link is closed, and gives back what they have not seen.
    ///
    /// - Parameters:
    ///   - reason: The end that they, and those who wait for a message, get to know.
    ///   - then: Called when nothing more is on its way, or at the latest after a while.
    func retireConsumers(_ reason: AMQPError, then: @escaping () -> Void)
    /// The link has ended.
    func end(_ error: AMQPError)
}

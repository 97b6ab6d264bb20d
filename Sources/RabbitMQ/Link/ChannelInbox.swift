/// What receives the frames of one channel, on the link's queue. Whatever it throws ends the link.
protocol ChannelInbox: AnyObject {
    /// Takes a method, and says whether the channel is closed now on both sides: then its number is free.
    func receive(_ method: ServerMethod) throws(AMQPError) -> Bool
    func receive(_ delivery: DeliveryView) throws(AMQPError)
    /// Takes a delivery that was received whole.
    ///
    /// - Parameters:
    ///   - delivery: What is known of it.
    ///   - chunk: Where it was received.
    ///   - offset: Where in the chunk it begins.
    ///   - bodySize: The size of its body.
    /// - Returns: Whether it was taken. If not, its frames are to be received one by one.
    func receive(
        _ delivery: DeliveryPeek,
        in chunk: ReceiveChunk,
        offset: Int,
        bodySize: Int
    ) throws(AMQPError) -> Bool
    func receive(_ header: consuming ContentHeader) throws(AMQPError)
    func receive(body: UnsafeRawBufferPointer) throws(AMQPError)
    /// How many consumers got something in the batch at hand.
    var recipients: Int { get }
    /// Everything that was received at once has been handed over: hand on what was put together.
    func endBatch() throws(AMQPError)
    /// The link has ended.
    func end(_ error: AMQPError)
}

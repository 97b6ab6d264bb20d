/// What receives the frames of one channel, on the link's queue. Whatever it throws ends the link.
protocol ChannelInbox: AnyObject {
    /// Takes a method, and says whether the channel is closed now on both sides: then its number is free.
    func receive(_ method: ServerMethod) throws(AMQPError) -> Bool
    func receive(_ delivery: DeliveryView) throws(AMQPError)
    /// Takes a whole delivery that was received at once. The header says that `body` is all of the body.
    func receive(
        _ delivery: DeliveryView,
        _ header: consuming ContentHeader,
        body: UnsafeRawBufferPointer
    ) throws(AMQPError)
    func receive(_ header: consuming ContentHeader) throws(AMQPError)
    func receive(body: UnsafeRawBufferPointer) throws(AMQPError)
    /// Everything that was received at once has been handed over: hand on what was put together.
    func endBatch()
    /// The link has ended.
    func end(_ error: AMQPError)
}

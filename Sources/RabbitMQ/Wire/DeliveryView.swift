/// The parts of a basic.deliver, as pointers into the receive buffer. Valid only during the call that is given them.
struct DeliveryView {
    var consumerTag: UnsafeBufferPointer<UInt8>
    var deliveryTag: UInt64
    var redelivered: Bool
    var exchange: UnsafeBufferPointer<UInt8>
    var routingKey: UnsafeBufferPointer<UInt8>
}

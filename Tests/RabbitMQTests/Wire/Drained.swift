import Glibc
import TestSupport

@testable import RabbitMQ

/// Everything that a buffer holds.
func drained(_ buffer: OutboundBuffer) throws -> [UInt8] {
    var bytes: [UInt8] = []
    _ = try buffer.drain { pieces throws(AMQPError) in
        let all = Array(gathering: pieces)
        bytes += all
        return all.count
    }
    return bytes
}

extension [UInt8] {
    /// What a write is given.
    init(gathering pieces: UnsafeBufferPointer<iovec>) {
        self = pieces.flatMap { UnsafeRawBufferPointer(start: $0.iov_base, count: $0.iov_len) }
    }
}

/// The frames in bytes, taken apart without the library's code.
func frames(in bytes: [UInt8]) -> [PeerFrame] {
    var bytes = bytes
    return PeerFrame.cut(from: &bytes)
}

extension OutboundBuffer {
    /// Appends a message to the default exchange, as it is published.
    func appendMessage(_ message: Message) throws(AMQPError) {
        try appendPublish(
            message,
            exchange: "",
            routingKey: "",
            mandatory: false,
            channel: 1,
            frameMax: 131_072,
            pool: Pool(),
            template: PublishTemplate()
        )
    }
}

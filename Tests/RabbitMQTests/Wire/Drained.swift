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
    var frames: [PeerFrame] = []
    var rest = bytes[...]
    while rest.count >= 8 {
        var reader = PeerReader(Array(rest.prefix(7)))
        let type = reader.octet()
        let channel = reader.short()
        let size = Int(reader.long())
        guard rest.count >= size + 8 else { break }
        let payload = rest.dropFirst(7).prefix(size)
        frames.append(
            PeerFrame(
                type: rest[rest.startIndex + 7 + size] == 0xCE ? type : 0xFF,
                channel: channel,
                payload: Array(payload)
            )
        )
        rest = rest.dropFirst(size + 8)
    }
    return frames
}

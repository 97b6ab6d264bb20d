internal import RabbitMQ

/// A connection of a client.
struct ConnectionState {
    enum Phase { case header, startOk, tuneOk, opening, open, closing }

    enum End { case close, reset }

    let id: Int
    var phase = Phase.header
    var input = FrameSplitter()
    /// What is to be written.
    var output: [UInt8] = []
    /// How much of that is written.
    var written = 0
    /// Whether it ends when that is written; a reset ends it at once.
    var end: End?
    var frameMax = 131_072
    /// 0 for as many channels as there are numbers.
    var channelMax: UInt16 = 0
    var heartbeat = 0
    var user = "guest"
    var properties: FieldTable = [:]
    var frameCount = 0
    /// Whether nothing is read or written.
    var isFrozen = false
    var isBlocked = false

    var name: String { properties["connection_name"]?.stringValue ?? "" }

    mutating func send(_ reply: Reply, channel: UInt16 = 0) {
        Frame.append(.method, channel: channel, reply.payload, to: &output)
    }

    mutating func sendHeartbeat() { Frame.append(.heartbeat, channel: 0, [], to: &output) }

    mutating func send(_ reply: Reply, channel: UInt16, _ message: StoredMessage) {
        send(reply, channel: channel)
        var header = WireWriter()
        header.short(60)
        header.short(0)
        header.longLong(UInt64(message.message.body.count))
        header.raw(message.encodedProperties)
        Frame.append(.header, channel: channel, header.bytes, to: &output)
        var rest = message.message.body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(frameMax - Frame.overhead)
            Frame.append(.body, channel: channel, piece, to: &output)
            rest = rest.dropFirst(piece.count)
        }
    }
}

/// What both sides agreed on.
struct ConnectionParameters: Sendable, Equatable {
    var channelMax: UInt16
    var frameMax: Int
    /// In seconds, 0 for none.
    var heartbeat: UInt16
    let serverProperties: FieldTable
    /// The broker's version, read once; nil if it is not RabbitMQ, or says none.
    let version: ServerVersion?

    init(channelMax: UInt16, frameMax: Int, heartbeat: UInt16, serverProperties: FieldTable) {
        self.channelMax = channelMax
        self.frameMax = frameMax
        self.heartbeat = heartbeat
        self.serverProperties = serverProperties
        version = ServerVersion(serverProperties)
    }
}

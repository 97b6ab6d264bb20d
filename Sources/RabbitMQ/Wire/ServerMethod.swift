/// The methods a server sends, decoded (AMQP 0-9-1 and RabbitMQ's extensions).
enum ServerMethod: Sendable, Equatable {
    struct Close: Sendable, Equatable {
        var replyCode: UInt16
        var replyText: String
        var classID: UInt16
        var methodID: UInt16
    }

    struct Start: Sendable, Equatable {
        var versionMajor: UInt8
        var versionMinor: UInt8
        var serverProperties: FieldTable
        var mechanisms: [String]
    }

    struct Tune: Sendable, Equatable {
        var channelMax: UInt16
        var frameMax: UInt32
        var heartbeat: UInt16
    }

    struct DeclaredQueue: Sendable, Equatable {
        var name: String
        var messageCount: UInt32
        var consumerCount: UInt32
    }

    struct Return: Sendable, Equatable {
        var replyCode: UInt16
        var replyText: String
        var exchange: String
        var routingKey: String
    }

    struct GetOk: Sendable, Equatable {
        var deliveryTag: UInt64
        var redelivered: Bool
        var exchange: String
        var routingKey: String
        var messageCount: UInt32
    }

    case connectionStart(Start)
    case connectionSecure([UInt8])
    case connectionTune(Tune)
    case connectionOpenOk
    case connectionClose(Close)
    case connectionCloseOk
    case connectionBlocked(reason: String)
    case connectionUnblocked
    case connectionUpdateSecretOk
    case channelOpenOk
    case channelFlow(active: Bool)
    case channelClose(Close)
    case channelCloseOk
    case exchangeDeclareOk
    case exchangeDeleteOk
    case exchangeBindOk
    case exchangeUnbindOk
    case queueDeclareOk(DeclaredQueue)
    case queueBindOk
    case queueUnbindOk
    case queuePurgeOk(messageCount: UInt32)
    case queueDeleteOk(messageCount: UInt32)
    case basicQosOk
    case basicConsumeOk(consumerTag: String)
    case basicCancelOk(consumerTag: String)
    case basicCancel(consumerTag: String)
    case basicReturn(Return)
    case basicGetOk(GetOk)
    case basicGetEmpty
    case basicRecoverOk
    case basicAck(deliveryTag: UInt64, multiple: Bool)
    case basicNack(deliveryTag: UInt64, multiple: Bool)
    case confirmSelectOk
    case txSelectOk
    case txCommitOk
    case txRollbackOk
}

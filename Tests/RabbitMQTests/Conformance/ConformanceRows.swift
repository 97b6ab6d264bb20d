/// What the conformance table holds. A method that is missing here is missing in the table, which a test notices.
enum ConformanceRows {
    static let all: [ConformanceRow] =
        connection + channel + topology + basic + transactions + types + rabbitMQ + laterBrokers

    private static let connection: [ConformanceRow] = [
        ConformanceRow(.connection, "start, start-ok", "`Connection.connect`", "row 1: connect takes host"),
        ConformanceRow(
            .connection,
            "secure, secure-ok",
            "",
            note: "No mechanism that the library offers has a second step."
        ),
        ConformanceRow(
            .connection,
            "tune, tune-ok",
            "`channelMax`, `frameMax`, `heartbeat`",
            "row 5: channels can be opened concurrently, up to channelMax",
            "bodies around the frame size come unharmed at the smallest frame_max"
        ),
        ConformanceRow(
            .connection,
            "open, open-ok",
            "`virtualHost`",
            "row 1: wrong credentials and an unknown virtual host"
        ),
        ConformanceRow(
            .connection,
            "close, close-ok",
            "`close()`, `closed`",
            "row 6: close is idempotent",
            "row 6: both sides closing at once",
            "row 4: closed gives the reason: closed by the server"
        ),
        ConformanceRow(
            .connection,
            "heartbeats",
            "`heartbeat`",
            "row 7: heartbeats keep an idle connection alive",
            "row 7: a peer that goes silent"
        ),
        ConformanceRow(
            .connection,
            "SASL PLAIN",
            "`Credentials.plain`",
            "row 1: wrong credentials and an unknown virtual host"
        ),
        ConformanceRow(
            .connection,
            "SASL EXTERNAL",
            "`Credentials.external`",
            "as the one whom the client's certificate names"
        ),
    ]

    private static let channel: [ConformanceRow] = [
        ConformanceRow(.channel, "open, open-ok", "`openChannel()`", "row 5: channels can be opened concurrently"),
        ConformanceRow(
            .channel,
            "flow, flow-ok",
            "from the broker: publishing waits",
            "channel.flow stops publishing",
            note: "Not sent by the client: RabbitMQ refuses it."
        ),
        ConformanceRow(
            .channel,
            "close, close-ok",
            "`Channel.close()`",
            "row 13: close is idempotent",
            "row 14: a channel closed by the server"
        ),
    ]

    private static let topology: [ConformanceRow] = [
        ConformanceRow(
            .exchange,
            "declare, declare-ok",
            "`declareExchange`",
            "row 9: an exchange declared again",
            "row 9: passive finds what exists",
            "row 9: with noWait"
        ),
        ConformanceRow(.exchange, "delete, delete-ok", "`Exchange.delete`", "row 24: an exchange in use"),
        ConformanceRow(
            .exchange,
            "direct, fanout, topic, headers",
            "`ExchangeType`",
            "row 22: an exchange knows",
            "a headers exchange compares"
        ),
        ConformanceRow(
            .queue,
            "declare, declare-ok",
            "`declareQueue`",
            "row 10: with the empty name",
            "row 10: declared again",
            "row 10: passive gives counts"
        ),
        ConformanceRow(.queue, "bind, bind-ok", "`Queue.bind`", "row 17: a binding routes"),
        ConformanceRow(.queue, "unbind, unbind-ok", "`QueueBinding.unbind`", "row 25: a binding with arguments"),
        ConformanceRow(.queue, "purge, purge-ok", "`Queue.purge`", "row 20: purge returns"),
        ConformanceRow(
            .queue,
            "delete, delete-ok",
            "`Queue.delete`",
            "row 21: a queue in use",
            "row 21: ifEmpty looks"
        ),
    ]

    private static let basic: [ConformanceRow] = [
        ConformanceRow(
            .basic,
            "qos, qos-ok",
            "`setQos`",
            "row 11: setQos limits",
            "row 11: with global",
            note: "RabbitMQ knows no prefetch size."
        ),
        ConformanceRow(
            .basic,
            "consume, consume-ok",
            "`Queue.consume`",
            "row 18: a consumer gets",
            "row 18: noAck messages",
            "row 18: deliveries that race"
        ),
        ConformanceRow(.basic, "cancel, cancel-ok", "`Consumer.cancel()`", "row 26: after cancel no callback begins"),
        ConformanceRow(
            .basic,
            "publish",
            "`Exchange.publish`",
            "100,000 messages of 100 bytes",
            "a body of 64 MiB",
            "row 23: publishing to an unknown exchange"
        ),
        ConformanceRow(.basic, "publish: immediate", "", note: "RabbitMQ has dropped it."),
        ConformanceRow(
            .basic,
            "return",
            "`setReturnHandler`, `returnedMessages`",
            "row 12: the handler gets",
            "returned messages come as a sequence"
        ),
        ConformanceRow(
            .basic,
            "deliver",
            "`Deliveries`",
            "row 30: an incoming message knows",
            "row 18: a consumer gets"
        ),
        ConformanceRow(.basic, "get, get-ok, get-empty", "`Queue.get`", "row 19: get gives", "row 19: concurrent gets"),
        ConformanceRow(.basic, "ack", "`IncomingMessage.ack`", "row 31: ack settles", "row 31: many acks in any order"),
        ConformanceRow(.basic, "reject", "`IncomingMessage.reject`", "row 32: reject puts"),
        ConformanceRow(
            .basic,
            "recover, recover-ok",
            "`Channel.recover`",
            "recover has unsettled deliveries come again"
        ),
        ConformanceRow(
            .basic,
            "recover-async",
            "",
            note: "Deprecated by the specification; recover does the same, and is answered."
        ),
        ConformanceRow(
            .basic,
            "the fourteen properties",
            "`Message`",
            "row 28: every property comes back",
            "row 30: absent properties"
        ),
    ]

    private static let transactions: [ConformanceRow] = [
        ConformanceRow(
            .transactions,
            "select, commit, rollback",
            "`selectTransactions`, `commit`, `rollback`",
            "what is published counts with the commit",
            "after a rollback a delivery"
        )
    ]

    private static let types: [ConformanceRow] = [
        ConformanceRow(
            .types,
            "field tables: t b B s u I i l L f d D S A T F V x",
            "`FieldValue`",
            "row 34: every type comes back",
            "pika reads every type of header",
            "we read every type of header"
        ),
        ConformanceRow(.types, "short strings of 255 bytes", "refused locally", "row 28: short strings over 255 bytes"),
        ConformanceRow(
            .types,
            "frames cut at frame_max",
            "",
            "bodies around the frame size come unharmed at the smallest frame_max",
            "bodies around the frame size come unharmed at the default"
        ),
        ConformanceRow(
            .types,
            "reply codes",
            "`ReplyCode`, `AMQPError.Code`",
            "row 14: a channel closed by the server",
            "row 33: each error"
        ),
        ConformanceRow(.types, "protocol header, frames split anywhere", "", "each byte"),
    ]

    private static let rabbitMQ: [ConformanceRow] = [
        ConformanceRow(
            .rabbitMQ,
            "confirm.select, basic.ack and basic.nack from the broker",
            "`confirmSelect`, `PublishReceipt`",
            "a message that reaches a queue",
            "200 tasks publish 200,000",
            "acks out of order"
        ),
        ConformanceRow(.rabbitMQ, "basic.nack", "`IncomingMessage.nack`", "row 32: reject puts"),
        ConformanceRow(
            .rabbitMQ,
            "consumer_cancel_notify",
            "`Consumer.cancelled`",
            "row 27: when the queue is deleted"
        ),
        ConformanceRow(
            .rabbitMQ,
            "connection.blocked, connection.unblocked",
            "`blockedReason`, `events`",
            "connection.blocked stops publishers"
        ),
        ConformanceRow(
            .rabbitMQ,
            "connection.update-secret",
            "`Credentials.expiring`",
            "sends the new one before the old one ends"
        ),
        ConformanceRow(.rabbitMQ, "authentication_failure_close", "`authenticationFailed`", "row 1: wrong credentials"),
        ConformanceRow(
            .rabbitMQ,
            "exchange.bind, exchange.unbind",
            "`Exchange.bind`",
            "what is published to the source reaches"
        ),
        ConformanceRow(.rabbitMQ, "direct reply-to", "`RPCClient`", "row 10: names may hold an asterisk"),
        ConformanceRow(
            .rabbitMQ,
            "consumer priorities",
            "`ConsumerOptions`",
            "messages go to the consumer with the higher priority"
        ),
        ConformanceRow(
            .rabbitMQ,
            "quorum queues",
            "`QueueArguments`",
            "a quorum queue's delivery-limit",
            "a quorum queue counts attempts"
        ),
        ConformanceRow(
            .rabbitMQ,
            "streams",
            "`QueueArguments`, `StreamOffset`",
            "a stream is read from its first message",
            "a consumer begins at the first message"
        ),
        ConformanceRow(
            .rabbitMQ,
            "dead lettering",
            "`QueueArguments`, `deaths`",
            "message-ttl expires messages",
            "x-death is read whole"
        ),
        ConformanceRow(
            .rabbitMQ,
            "length limits, overflow",
            "`QueueArguments`",
            "max-length drops the head",
            "reject-publish refuses"
        ),
        ConformanceRow(.rabbitMQ, "priority queues", "`QueueArguments`", "max-priority lets important messages"),
        ConformanceRow(.rabbitMQ, "single active consumer", "`QueueArguments`", "with single-active-consumer"),
        ConformanceRow(.rabbitMQ, "alternate exchanges", "`ExchangeArguments`", "what the exchange can't route"),
        ConformanceRow(.rabbitMQ, "TLS", "`ConnectionConfiguration.TLS`", "carries a large body both ways"),
        ConformanceRow(
            .rabbitMQ,
            "AMQP URIs",
            "`ConnectionConfiguration(uri:)`",
            "are read as the specification's examples say"
        ),
    ]
}

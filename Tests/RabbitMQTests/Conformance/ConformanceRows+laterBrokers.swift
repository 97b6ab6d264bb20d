extension ConformanceRows {
    /// What came with RabbitMQ 3.13 and later.
    static let laterBrokers: [ConformanceRow] = [
        ConformanceRow(
            .rabbitMQ,
            "delayed retry of quorum queues (4.3)",
            "`QueueArguments`",
            "what failed waits longer each time",
            "what is given back waits as long each time",
            "only those wait that are told to"
        ),
        ConformanceRow(
            .rabbitMQ,
            "strict priorities of quorum queues (4.3)",
            "`Message.priority`",
            "a quorum queue delivers by priority, from 31 down"
        ),
        ConformanceRow(
            .rabbitMQ,
            "consumer timeouts of queues and consumers (4.3)",
            "`QueueArguments`, `ConsumerOptions`",
            "cancels the consumer, whose message goes back"
        ),
        ConformanceRow(
            .rabbitMQ,
            "stream filters (3.13)",
            "`StreamFilter`, `streamFilterValue`",
            "what is asked for comes; a broker that filters",
            "messages that share a chunk with one that is asked for"
        ),
        ConformanceRow(
            .rabbitMQ,
            "exchange types of its own and of its plugins",
            "`ExchangeType`, `ExchangeArguments`",
            "each of them either is there or is refused",
            "x-local-random and x-random give each message to one queue",
            "x-modulus-hash and x-consistent-hash give the same queue",
            "x-recent-history gives a new queue the last messages",
            "x-jms-topic routes by a binding's selector"
        ),
        ConformanceRow(
            .rabbitMQ,
            "what a version ignores or denies",
            "a warning",
            "an old queue mode is warned of once",
            "what 4.3 refuses is warned of before it does"
        ),
    ]
}

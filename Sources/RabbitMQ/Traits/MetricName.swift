#if MetricsSupport
/// What metrics are called: OpenTelemetry's names where its conventions for messaging have one, `rabbitmq.client.` before
/// the others.
///
/// OpenTelemetry: [Messaging metrics](https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/).
enum MetricName {
    static let sent = "messaging.client.sent.messages"
    static let consumed = "messaging.client.consumed.messages"
    static let operationDuration = "messaging.client.operation.duration"
    static let processDuration = "messaging.process.duration"

    /// Those that only rise.
    static let counters: [(name: String, value: @Sendable (ConnectionStatistics) -> Int)] = [
        (sent, { $0.published }),
        (consumed, { $0.delivered }),
        ("rabbitmq.client.confirmed.messages", { $0.confirmed }),
        ("rabbitmq.client.nacked.messages", { $0.nacked }),
        ("rabbitmq.client.returned.messages", { $0.returned }),
        ("rabbitmq.client.unknown_outcome.messages", { $0.unknownOutcomes }),
        ("rabbitmq.client.republished.messages", { $0.republished }),
        ("rabbitmq.client.redelivered.messages", { $0.redelivered }),
        ("rabbitmq.client.acknowledged.messages", { $0.acknowledged }),
        ("rabbitmq.client.requeued.messages", { $0.requeued }),
        ("rabbitmq.client.rejected.messages", { $0.rejected }),
        ("rabbitmq.client.given_back.messages", { $0.givenBack }),
        ("rabbitmq.client.stale_settlements", { $0.staleSettlements }),
        ("rabbitmq.client.sent.bytes", { $0.bytesSent }),
        ("rabbitmq.client.received.bytes", { $0.bytesReceived }),
        ("rabbitmq.client.connection.losses", { $0.losses }),
        ("rabbitmq.client.connection.recoveries", { $0.recoveries }),
    ]

    static let operationName = "messaging.operation.name"

    /// What the conventions require of their own counters beside the system: which operation it is that they count.
    static func operation(of counter: String) -> [(String, String)] {
        switch counter {
        case sent: [(operationName, "publish")]
        case consumed: [(operationName, "consume")]
        default: []
        }
    }

    /// Those that only rise, in seconds.
    static let times: [(name: String, value: @Sendable (ConnectionStatistics) -> Duration)] = [
        ("rabbitmq.client.time_down", { $0.timeDown }),
        ("rabbitmq.client.time_blocked", { $0.timeBlocked }),
        ("rabbitmq.client.time_paused", { $0.timePaused }),
    ]

    /// Those that rise and fall.
    static let levels: [(name: String, value: @Sendable (ConnectionStatistics) -> Int)] = [
        ("rabbitmq.client.unsettled.messages", { $0.unsettled }),
        ("rabbitmq.client.unconfirmed.messages", { $0.unconfirmed }),
        ("rabbitmq.client.held_back.publishers", { $0.heldBackPublishers }),
        ("rabbitmq.client.outbound.bytes", { $0.outboundBytes }),
        ("rabbitmq.client.inbound.bytes", { $0.inboundBytes }),
        ("rabbitmq.client.channels", { $0.channels }),
        ("rabbitmq.client.consumers", { $0.consumers }),
    ]

    static let system = ("messaging.system", "rabbitmq")
}
#endif

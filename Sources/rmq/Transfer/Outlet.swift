#if Tool
internal import RabbitMQ

/// Publishes where messages are to go.
///
/// A message that the broker there finds too large ends the channel, and with it what is known of all that are under way.
/// So one that is larger than all that it has taken goes alone: otherwise each run would stop at that message, and those
/// before it would be in both places.
struct Outlet {
    private let connection: Connection
    private var channel: Channel
    /// Sizes of bodies.
    private var largestTaken = 0
    private var smallestRefused = Int.max

    init(_ connection: Connection) async throws {
        self.connection = connection
        channel = try await Self.open(connection)
    }

    private static func open(_ connection: Connection) async throws -> Channel {
        let channel = try await connection.openChannel()
        try await channel.selectConfirms(maxUnconfirmed: 1000)
        return channel
    }

    /// Whether nothing else may be under way when a message is published.
    func sendsAlone(_ message: Message) -> Bool {
        message.body.count > largestTaken && message.body.count < smallestRefused
    }

    /// Publishes a message, and waits for the outcome of one that goes alone.
    ///
    /// - Throws: `Route.Missing` if it is larger than the broker takes.
    mutating func publish(_ message: Message, to route: Route) async throws -> PublishReceipt {
        let size = message.body.count
        guard size < smallestRefused else { throw Self.tooLarge }
        let isAlone = sendsAlone(message)
        do {
            let receipt = try await channel.exchange(route.exchange).publish(
                message,
                routingKey: route.routingKey,
                mandatory: true
            )
            if isAlone {
                try await Self.awaitOutcome(of: receipt)
                largestTaken = size
            }
            return receipt
        } catch let error as AMQPError where Self.isOverSize(error) {
            smallestRefused = size
            channel = try await Self.open(connection)
            throw Self.tooLarge
        }
    }

    private static func awaitOutcome(of receipt: PublishReceipt) async throws {
        do {
            try await receipt.confirmed()
        } catch let error as AMQPError where error.code == .undeliverable || error.code == .nacked {
            // The broker has read it whole. What became of it is told where it is settled.
        }
    }

    private static let tooLarge = Route.Missing(
        description: "larger than the broker takes that is to get it (max_message_size)"
    )

    private static func isOverSize(_ error: AMQPError) -> Bool {
        error.message.contains("larger than configured max size")
            || (error.underlying as? AMQPError).map { isOverSize($0) } == true
    }
}
#endif

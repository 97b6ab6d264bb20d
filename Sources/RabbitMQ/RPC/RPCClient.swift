internal import Logging
#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Calls to servers through a broker: a request is published, and its reply comes back on the same channel.
///
/// ```swift
/// let client = try await connection.openRPCClient(routingKey: "prices")
/// let price = try await client.call(PriceRequest(item: "tea"), as: Price.self)
/// ```
///
/// It uses RabbitMQ's [direct reply-to](https://www.rabbitmq.com/docs/direct-reply-to), which needs no queue for replies.
/// Any number of tasks may call at a time, thousands of calls may wait. Each has a deadline, which the request carries as
/// its expiration: one that nobody waits for any more dies in the server's queue. A request that reaches no queue fails
/// at once. Made by ``Connection/openRPCClient(exchange:routingKey:timeout:encoder:decoder:)``; for the other side see
/// ``RPCServer``.
///
/// It has a channel of its own. When that is closed, by a request to an exchange that does not exist for example, all
/// calls fail with the reason, and a new client is needed. When the connection is lost, the calls on their way fail with
/// ``AMQPError/Code/outcomeUnknown``, and later ones wait until it is there again (<doc:Recovery>). While a call waits, the
/// connection reads on whatever consumer is slow (``ConnectionConfiguration/inboundHighWater``): slow consumers without a
/// prefetch limit want a connection of their own.
public final class RPCClient: Sendable {
    /// The name of the exchange to which requests are published; empty for the default exchange.
    public let exchange: String

    /// The routing key of requests for which none is given: with the default exchange, the name of the server's queue.
    public let routingKey: String

    /// How long a call may take for which no other time is given, by its `timeout:` or by ``withCallTimeout(_:isolation:_:)``.
    public let timeout: Duration

    let encoder: JSONEncoder?
    let decoder: JSONDecoder?
    let pending = PendingReplies()
    private let channel: Channel
    private let replies: Task<Void, Never>

    var core: ChannelCore { channel.core }

    init(
        connection: Connection,
        exchange: String,
        routingKey: String,
        timeout: Duration,
        encoder: JSONEncoder?,
        decoder: JSONDecoder?
    ) async throws {
        self.exchange = exchange
        self.routingKey = routingKey
        self.timeout = timeout
        self.encoder = encoder
        self.decoder = decoder
        let logger = connection.core.logger
        let pending = pending
        // A call on its way when the connection is lost fails, which is no reason not to open. On another channel: one has one
        // consumer of replies only, and who knows whether it has it.
        let (channel, deliveries) = try await connection.core.repeating {
            // If what follows throws, it is closed when it goes.
            let own = try await connection.openChannel()
            own.setReturnHandler { returned in
                let error = AMQPError(returned: returned)
                if !pending.resolve(returned.message.correlationID, .failure(error)) {
                    logger.debug("a request that nobody waits for came back", metadata: [LogKey.error: "\(error)"])
                }
            }
            own.core.onInterruption { pending.fail(RPCClient.interrupted($0)) }
            let replies = try await own.queue(EntityName.directReplyTo).consume(.noAck)
            return (own, replies)
        }
        self.channel = channel
        // Not the client itself, which then could never go.
        replies = Task {
            do {
                for try await message in deliveries
                where !pending.resolve(message.correlationID, .success(message.message)) {
                    logger.debug(
                        "a reply that nobody waits for was dropped",
                        metadata: [LogKey.correlationID: "\((message.correlationID ?? "").printable())"]
                    )
                }
                pending.end(AMQPError(.channelClosed, "the RPC client's consumer was cancelled"))
            } catch let error as AMQPError {
                pending.end(error)
            } catch {
                pending.end(AMQPError(.channelClosed, "the RPC client is gone", underlying: error))
            }
        }
    }

    deinit { replies.cancel() }

    private static func interrupted(_ reason: AMQPError) -> AMQPError {
        AMQPError(
            .outcomeUnknown,
            "the server may have run the request, but its reply can't come any more: \(reason.message)",
            underlying: reason
        )
    }

    /// How many calls wait for their replies.
    public var pendingCount: Int { pending.count }

    /// Why no calls can be made any more; nil as long as they can.
    public var closeReason: AMQPError? { channel.closeReason }

    /// Closes the client and its channel. Calls that wait fail with ``AMQPError/Code/channelClosed``.
    public func close() async {
        await channel.close()
        await replies.value
    }
}

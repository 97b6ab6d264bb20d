#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Connection {
    /// Opens a client for calls through the broker, with a channel of its own; on the next connection if this one is lost
    /// meanwhile.
    ///
    /// - Parameters:
    ///   - exchange: The name of the exchange to which requests are published; the default exchange if empty.
    ///   - routingKey: The routing key of requests for which none is given: with the default exchange, the name of the
    ///     server's queue.
    ///   - timeout: How long a call for which no other time is given may take; 30 s by default.
    ///   - encoder: The encoder for requests; if nil, one with Foundation's defaults.
    ///   - decoder: The decoder for replies; if nil, one with Foundation's defaults.
    /// - Returns: The client, which is closed with ``RPCClient/close()`` or when it is not held any more.
    /// - Throws: What ``openChannel()`` throws; other ``AMQPError``s; `CancellationError`.
    public func openRPCClient(
        exchange: String = "",
        routingKey: String = "",
        timeout: Duration = .seconds(30),
        encoder: JSONEncoder? = nil,
        decoder: JSONDecoder? = nil
    ) async throws -> RPCClient {
        try await RPCClient(
            connection: self,
            exchange: exchange,
            routingKey: routingKey,
            timeout: timeout,
            encoder: encoder,
            decoder: decoder
        )
    }

    /// Opens a client for calls through the broker, runs `body`, and closes the client, whether `body` returns or throws.
    ///
    /// - Parameters:
    ///   - exchange: The name of the exchange to which requests are published; the default exchange if empty.
    ///   - routingKey: The routing key of requests for which none is given.
    ///   - timeout: How long a call for which no other time is given may take; 30 s by default.
    ///   - body: What to do with the client.
    /// - Returns: What `body` returns.
    /// - Throws: What ``openRPCClient(exchange:routingKey:timeout:encoder:decoder:)`` throws, and what `body` throws.
    public func withRPCClient<Result>(
        exchange: String = "",
        routingKey: String = "",
        timeout: Duration = .seconds(30),
        _ body: (RPCClient) async throws -> Result
    ) async throws -> Result {
        let client = try await openRPCClient(exchange: exchange, routingKey: routingKey, timeout: timeout)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }
}

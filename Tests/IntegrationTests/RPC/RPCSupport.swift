import RabbitMQ
import TestSupport

extension TestBroker {
    /// Lends a connection, a queue that outlives a server's connection, and a client for it to `body`.
    static func withRPCClient(_ body: (Connection, Queue, RPCClient) async throws -> Void) async throws {
        try await withChannel { connection, channel in
            let queue = try await channel.declareQueue(uniqueName("rpc"), durable: false)
            do {
                try await connection.withRPCClient(routingKey: queue.name, timeout: .seconds(60)) { client in
                    try await body(connection, queue, client)
                }
            } catch {
                _ = try? await queue.delete(ifUnused: false, ifEmpty: false)
                throw error
            }
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }
}

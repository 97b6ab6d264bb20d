import Foundation
import Logging
import RabbitMQ
import TestSupport
import Testing

/// Expects `body` to throw an ``AMQPError`` with this code.
///
/// - Returns: The error, so that more can be asked of it.
@discardableResult
func expectError(
    _ code: AMQPError.Code,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> some Any
) async -> AMQPError? {
    do {
        let result = try await body()
        Issue.record("\(code) was expected, not \(result)", sourceLocation: sourceLocation)
    } catch let error as AMQPError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("\(code) was expected, not \(error)", sourceLocation: sourceLocation)
    }
    return nil
}

/// Runs the body of a test that runs in a process of its own: an error thrown there would be a crash without a reason.
func recordingErrors(_ body: () async throws -> Void) async {
    do { try await body() } catch { Issue.record(error) }
}

extension TestBroker {
    /// A configuration that writes its log to `log`.
    static func configuration(log: CapturedLog) throws -> ConnectionConfiguration {
        var configuration = try configuration
        configuration.logger = log.logger
        return configuration
    }

    /// A configuration that connects through `proxy`.
    static func configuration(through proxy: TCPProxy, log: CapturedLog? = nil) throws -> ConnectionConfiguration {
        var configuration = try configuration
        let host = configuration.host
        configuration.host = "127.0.0.1"
        if host != configuration.host, configuration.tls?.serverName == nil { configuration.tls?.serverName = host }
        configuration.port = proxy.port
        if let log { configuration.logger = log.logger }
        return configuration
    }

    /// How large a body the broker takes: more than 64 MiB is not asked of any; from 4.0 on its default is 16 MiB.
    static var hugeBody: Int { get async throws { try await BrokerVersion.current < .v4_0 ? 64 << 20 : 16 << 20 } }

    /// Lends a connection and a fresh exclusive queue to `body`, with the default exchange.
    static func withQueue<R>(
        _ body: (Connection, Channel, Queue, Exchange) async throws -> R
    ) async throws -> R {
        try await withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            return try await body(connection, channel, queue, try await channel.declareExchange(""))
        }
    }
}

extension Connection {
    /// How many messages are ready in a queue and how many consumers it has, as a channel of its own is told.
    func counts(of queue: Queue) async throws -> (messages: Int, consumers: Int) {
        try await withChannel { channel in
            let same = try await channel.declareQueue(
                queue.name,
                durable: queue.durable,
                exclusive: queue.exclusive,
                autoDelete: queue.autoDelete,
                passive: true
            )
            return (same.messageCount, same.consumerCount)
        }
    }

    /// Waits until this many messages are ready in a queue.
    func waitForMessages(_ count: Int, in queue: Queue) async throws {
        try await eventually("\(count) messages in \(queue.name)") {
            try await counts(of: queue).messages == count
        }
    }

    /// Whether a call is answered on a channel that is opened for it.
    func answers() async throws -> Bool {
        try await withChannel { !(try await $0.declareQueue(exclusive: true).name.isEmpty) }
    }
}

extension Exchange {
    /// Publishes numbered messages: their bodies are "0", "1" and so on.
    func publishNumbers(_ numbers: Range<Int>, to queue: Queue) async throws {
        for number in numbers {
            try await publish(Message(body: Array(String(number).utf8)), routingKey: queue.name)
        }
    }
}

extension IncomingMessage {
    /// The number that ``Exchange/publishNumbers(_:to:)`` put into it.
    var number: Int? { Int(String(decoding: body, as: UTF8.self)) }
}

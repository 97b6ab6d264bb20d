internal import Logging

/// Answers the calls that come to a queue, until it is stopped.
///
/// Made by ``Queue/serve(maxConcurrency:options:encoder:decoder:onError:handler:)`` and
/// ``Queue/serveMessages(maxConcurrency:options:onError:handler:)``. It has a channel of its own.
public final class RPCServer: Sendable {
    private enum End: Sendable {
        case stopped
        case failed(AMQPError)
    }

    private let channel: Channel
    private let consumer: Consumer
    private let requests: Task<Void, Never>
    private let end = Broadcast<End>()
    /// How long requests may take that run when it is to stop, if nobody says.
    var shutdownTimeout: Duration { channel.connection.core.configuration.shutdownTimeout }

    init(channel: Channel, queue: Queue, options: ConsumerOptions, maxConcurrency: Int, desk: RequestDesk) async throws
    {
        self.channel = channel
        let deliveries = try await queue.consumeRequests(options: options)
        consumer = deliveries.consumer
        let end = end
        requests = CallTimeout.withNone {
            Task {
                do {
                    try await deliveries.consumer.forEachMessage(limit: maxConcurrency) { await desk.answer($0) }
                    end.set(.stopped)
                } catch let error as AMQPError {
                    // Whoever waits for the end is told, and the end of a connection is logged once for all that ends with it.
                    desk.logger.log(
                        level: end.isAwaited || error.isConnectionFatal ? .debug : .warning,
                        "an RPC server ended",
                        metadata: [LogKey.queue: "\(queue.name.printable())", LogKey.reason: "\(error)"]
                    )
                    end.set(.failed(error))
                } catch {
                    end.set(.stopped)
                }
            }
        }
    }

    /// Waits for the end, and says why it has come: nil after ``stop(within:)``; else the queue was deleted
    /// (``AMQPError/Code/consumerCancelled``), or channel or connection are gone.
    ///
    /// - Throws: `CancellationError`, which leaves the server as it is.
    public var stopped: AMQPError? {
        get async throws {
            if case .failed(let error) = try await end.wait() { error } else { nil }
        }
    }

    /// Takes no more requests, waits until those that run are answered, and closes the server's channel.
    ///
    /// Requests that were not begun stay in the queue, for other servers. Stopping again does nothing. While the broker
    /// takes no messages, those that run can't be answered and stopping waits with them: set a limit.
    ///
    /// - Parameter grace: How long those that run may take; if nil, as long as they like. When it has passed, or when
    ///   this task is cancelled, their tasks are cancelled; one that then throws is not answered but goes back to the
    ///   queue.
    public func stop(within grace: Duration? = nil) async {
        await withTaskCancellationHandler {
            // If the broker does not answer, the requests end all the same.
            async let _ = try? consumer.cancel()
            guard let grace else { return await requests.value }
            await withDeadline(after: grace) { [requests] in
                requests.cancel()
            } _: {
                await requests.value
            }
        } onCancel: {
            requests.cancel()
        }
        await channel.close()
    }
}

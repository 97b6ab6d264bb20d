/// What queues of some types refuse, checked before RabbitMQ closes the channel for it or, mostly, the connection.
///
/// The type is known where the queue was declared with one; with a handle that was made without declaring, the broker
/// says it.
enum StreamRules {
    /// Checks a consumer (`rabbit_stream_queue:consume/3`, `rabbit_quorum_queue:consume/3`).
    ///
    /// - Parameters:
    ///   - type: The queue's type, nil if it is not known.
    ///   - queue: The queue's name.
    ///   - noAck: Whether the consumer does without acknowledgements.
    ///   - prefetchCount: The limit that the consumer begins with, 0 for none.
    ///   - isGlobal: Whether the channel has a limit for all its consumers together.
    static func checkConsume(
        type: QueueType?,
        queue: String,
        noAck: Bool,
        prefetchCount: UInt16,
        isGlobal: Bool = false
    ) throws(AMQPError) {
        if isGlobal, prefetchCount > 0, type == .stream || type == .quorum {
            throw refused(queue, type, "can't be consumed under a prefetch limit for the whole channel (global)")
        }
        guard type == .stream else { return }
        if noAck { throw refused(queue, type, "can't be consumed without acknowledgements (noAck)") }
        if prefetchCount == 0 { throw refused(queue, type, "can't be consumed without a prefetch limit (setQos)") }
    }

    /// Checks what only consumers of some types of queue can have.
    static func checkOptions(_ options: ConsumerOptions, type: QueueType?, queue: String) throws(AMQPError) {
        if options.streamFilter != nil, type == .classic || type == .quorum {
            throw refused(queue, type, "can't be consumed with a stream filter")
        }
        if options.timeout != nil, type == .classic || type == .stream {
            throw refused(queue, type, "has no consumer timeout: quorum queues have")
        }
        if options.priority != nil, type == .stream { throw refused(queue, type, "has no consumer priorities") }
    }

    /// Checks a basic.get.
    static func checkGet(type: QueueType?, queue: String) throws(AMQPError) {
        if type == .stream { throw refused(queue, type, "gives messages to consumers only") }
    }

    /// Checks a queue.purge.
    static func checkPurge(type: QueueType?, queue: String) throws(AMQPError) {
        if type == .stream { throw refused(queue, type, "can't be purged") }
    }

    /// A quorum queue or a stream is deleted whatever it holds and whoever uses it: asked for conditions, RabbitMQ 3.10
    /// closes the whole connection with 540 (`not_implemented`).
    static func checkDelete(type: QueueType?, queue: String, ifUnused: Bool, ifEmpty: Bool) throws(AMQPError) {
        guard type == .quorum || type == .stream, ifUnused || ifEmpty else { return }
        throw refused(queue, type, "can only be deleted with ifUnused: false and ifEmpty: false")
    }

    private static func refused(_ queue: String, _ type: QueueType?, _ why: String) -> AMQPError {
        AMQPError(.invalidArgument, "the queue \(queue), of type \(type?.rawValue ?? "unknown"), \(why)")
    }
}

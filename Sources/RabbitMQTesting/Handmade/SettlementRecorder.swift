public import RabbitMQ
internal import Synchronization

/// Makes messages as if they had been delivered, without a connection, and records how they are settled.
///
/// ```swift
/// let recorder = SettlementRecorder()
/// let message = recorder.message(try Message("{}"), redelivered: true)
/// try await handler.handle(message)
/// #expect(recorder.disposition(of: message) == .acknowledge)
/// ```
///
/// The messages of one recorder are as those of one channel: they are numbered from 1, each is settled at most once, and
/// ``/RabbitMQ/IncomingMessage/ack(multiple:)`` with `multiple` means the earlier ones too.
public final class SettlementRecorder: Sendable {
    private struct State {
        /// Of each message whether it waits to be settled; the first one has the number 1.
        var waits: [Bool] = []
        /// Before this index none waits.
        var firstWaiting = 0
        var settlements: [Settlement] = []
        var dispositions: [UInt64: Disposition] = [:]
        var frames = FrameSplitter()
    }

    private let channel = DetachedChannel()
    private let state = Mutex(State())

    /// Makes a recorder that has nothing to record.
    public init() {}

    /// Makes a message as if a consumer had got it.
    ///
    /// - Parameters:
    ///   - message: Body and properties.
    ///   - exchangeName: The exchange that it was published to; the default exchange if it is left out.
    ///   - routingKey: The routing key that it was published with; the name of the queue if nil.
    ///   - redelivered: Whether it was delivered before.
    ///   - queue: The name of the queue that it comes from.
    ///   - consumerTag: The consumer's tag; nil as if it had been asked for (``/RabbitMQ/Queue/get(noAck:)``).
    ///   - noAck: Whether it needs no acknowledgement, and can't be settled.
    /// - Returns: The message.
    public func message(
        _ message: Message,
        exchangeName: String = "",
        routingKey: String? = nil,
        redelivered: Bool = false,
        queue: String = "queue",
        consumerTag: String? = "consumer",
        noAck: Bool = false
    ) -> IncomingMessage {
        state.withLock { state in
            let made = channel.deliver(
                message,
                exchangeName: exchangeName,
                routingKey: routingKey ?? queue,
                redelivered: redelivered,
                consumerTag: consumerTag,
                queue: queue,
                noAck: noAck
            )
            state.waits.append(!noAck)
            return made
        }
    }

    /// Makes a message with the value that its body holds.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - message: The message, made by ``message(_:exchangeName:routingKey:redelivered:queue:consumerTag:noAck:)``; one with
    ///     an empty body if nil.
    /// - Returns: Both.
    public func decoded<Value>(_ value: Value, from message: IncomingMessage? = nil) -> DecodedMessage<Value> {
        DecodedMessage(value: value, message: message ?? self.message(Message(body: [])))
    }

    /// How messages were settled, in the order of the settlements; of acknowledgements that follow each other, in that of the
    /// messages.
    public var settlements: [Settlement] {
        state.withLock { state in
            record(&state)
            return state.settlements
        }
    }

    /// The numbers of the messages that nobody has settled.
    public var unsettled: [UInt64] {
        state.withLock { state in
            record(&state)
            return (state.firstWaiting..<state.waits.count).filter { state.waits[$0] }.map { UInt64($0 + 1) }
        }
    }

    /// What becomes of a message; nil as long as nobody has settled it.
    ///
    /// - Parameter message: One that this recorder has made.
    /// - Returns: How it was settled.
    public func disposition(of message: IncomingMessage) -> Disposition? {
        state.withLock { state in
            record(&state)
            return state.dispositions[message.deliveryTag]
        }
    }

    /// Ends the channel of the messages, as a lost connection does: what is not settled never will be, and to settle it throws
    /// ``/RabbitMQ/AMQPError/Code/staleDelivery``.
    ///
    /// - Parameter reason: Why.
    public func endChannel(_ reason: AMQPError = AMQPError(.connectionLost, "the test has ended the channel")) {
        state.withLock { record(&$0) }
        channel.end(reason)
    }

    /// Takes in what would have been sent since the last time.
    private func record(_ state: inout State) {
        state.frames.append(channel.takeFrames())
        while let frame = try? state.frames.next(frameMax: .max), let (_, request) = try? Request.decode(frame.payload)
        {
            switch request {
            case .ack(let tag, let multiple): note(tag, multiple, .acknowledge, &state)
            case .nack(let tag, let multiple, let requeue):
                note(tag, multiple, requeue ? .requeue : .deadLetter, &state)
            case .reject(let tag, let requeue): note(tag, false, requeue ? .requeue : .deadLetter, &state)
            default: break
            }
        }
    }

    private func note(_ tag: UInt64, _ multiple: Bool, _ disposition: Disposition, _ state: inout State) {
        guard let last = Int(exactly: tag), state.waits.indices.contains(last - 1) else { return }
        let first = multiple ? min(state.firstWaiting, last) : last - 1
        for index in first..<last where state.waits[index] {
            let meant = UInt64(index + 1)
            state.waits[index] = false
            state.settlements.append(Settlement(deliveryTag: meant, disposition: disposition))
            state.dispositions[meant] = disposition
        }
        while state.firstWaiting < state.waits.count, !state.waits[state.firstWaiting] { state.firstWaiting += 1 }
    }
}

/// What a channel was told about itself, which it is told again when it is opened anew. A value.
struct ChannelSetup: Sendable {
    /// Limits to what is delivered and not settled.
    struct Prefetch: Sendable, Hashable {
        var size: UInt32 = 0
        var count: UInt16 = 0
    }

    /// The limit for each consumer that begins from now on.
    var each = Prefetch()
    /// The limit for all of them together.
    var shared = Prefetch()
    /// How many messages may be unconfirmed; nil if the channel doesn't confirm.
    var confirmLimit: Int?
    var isTransactional = false

    mutating func limit(_ prefetch: Prefetch, global: Bool) {
        if global {
            shared = prefetch
        } else {
            // As RabbitMQ does, whatever the limit for each is: see ``PrefetchLimits``.
            (each, shared) = (prefetch, Prefetch())
        }
    }

    /// What to send behind channel.open, in order; without the limit for each consumer, which goes before those it is for.
    var methods: [ClientMethod] {
        var methods: [ClientMethod] = []
        if confirmLimit != nil { methods.append(.confirmSelect) }
        if isTransactional { methods.append(.txSelect) }
        return methods + sharedLimit
    }

    /// What to send before consumers with another limit begin: that lifts the limit for all of them together, which is
    /// therefore set again.
    func limiting(each prefetch: Prefetch) -> [ClientMethod] {
        [Self.method(prefetch, global: false)] + sharedLimit
    }

    private var sharedLimit: [ClientMethod] { shared == Prefetch() ? [] : [Self.method(shared, global: true)] }

    static func method(_ prefetch: Prefetch, global: Bool) -> ClientMethod {
        .basicQos(prefetchSize: prefetch.size, prefetchCount: prefetch.count, global: global)
    }
}

/// A consumer as it was begun, to be begun again.
struct Subscription: Sendable {
    let consumer: Consumer
    let queue: QueueIdentity
    let options: ConsumeOptions
    /// The limit to what it was given and has not settled.
    let prefetch: ChannelSetup.Prefetch

    /// What basic.consume says but for the queue's name.
    struct ConsumeOptions: Sendable {
        var noLocal = false
        var exclusive = false
        var arguments: FieldTable = [:]
        /// Makes what its messages belong to on a session.
        let makeSource: @Sendable (ChannelSession, _ queue: String) -> DeliverySource
    }

    /// The method that begins it.
    ///
    /// - Parameter isFirst: Whether it begins for the first time, so that a stream is read from where it was asked for.
    func method(of source: DeliverySource, isFirst: Bool = false) -> ClientMethod {
        var arguments = options.arguments
        if !isFirst { source.progress?.resume(&arguments, isStream: source.isStream == true, from: source) }
        return .basicConsume(
            ClientMethod.Consume(
                queue: source.queue,
                consumerTag: consumer.tag,
                noLocal: options.noLocal,
                noAck: consumer.noAck,
                exclusive: options.exclusive,
                arguments: arguments
            )
        )
    }
}

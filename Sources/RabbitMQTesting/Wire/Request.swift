internal import RabbitMQ

/// The methods that a client sends.
enum Request: Equatable {
    struct DeclareExchange: Equatable {
        var name: String
        var type: String
        var passive: Bool
        var durable: Bool
        var autoDelete: Bool
        var `internal`: Bool
        var noWait: Bool
        var arguments: FieldTable
    }

    struct DeclareQueue: Equatable {
        var name: String
        var passive: Bool
        var durable: Bool
        var exclusive: Bool
        var autoDelete: Bool
        var noWait: Bool
        var arguments: FieldTable
    }

    struct Binding: Equatable {
        var destination: String
        var source: String
        var routingKey: String
        var noWait: Bool
        var arguments: FieldTable
    }

    struct Consume: Equatable {
        var queue: String
        var tag: String
        var noAck: Bool
        var exclusive: Bool
        var noWait: Bool
        var arguments: FieldTable
    }

    struct Publish: Equatable {
        var exchange: String
        var routingKey: String
        var mandatory: Bool
        var immediate: Bool
    }

    case startOk(properties: FieldTable, mechanism: String, response: [UInt8])
    case tuneOk(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case open(virtualHost: String)
    case close
    case closeOk
    case updateSecret
    case channelOpen
    case channelFlow(active: Bool)
    case channelFlowOk
    case channelClose
    case channelCloseOk
    case exchangeDeclare(DeclareExchange)
    case exchangeDelete(name: String, ifUnused: Bool, noWait: Bool)
    case exchangeBind(Binding)
    case exchangeUnbind(Binding)
    case queueDeclare(DeclareQueue)
    case queueBind(Binding)
    case queueUnbind(Binding)
    case queuePurge(name: String, noWait: Bool)
    case queueDelete(name: String, ifUnused: Bool, ifEmpty: Bool, noWait: Bool)
    case qos(prefetchSize: UInt32, prefetchCount: Int, global: Bool)
    case consume(Consume)
    case cancel(tag: String, noWait: Bool)
    case publish(Publish)
    case get(queue: String, noAck: Bool)
    case ack(tag: UInt64, multiple: Bool)
    case nack(tag: UInt64, multiple: Bool, requeue: Bool)
    case reject(tag: UInt64, requeue: Bool)
    case recover(requeue: Bool, isAnswered: Bool)
    case confirmSelect(noWait: Bool)
    case transaction

    /// What it is about: the name of a queue or an exchange, of a binding its source. Empty for the others.
    var subject: String {
        switch self {
        case .exchangeDeclare(let exchange): exchange.name
        case .exchangeDelete(let name, _, _), .queuePurge(let name, _), .queueDelete(let name, _, _, _): name
        case .get(let queue, _): queue
        case .exchangeBind(let binding), .exchangeUnbind(let binding): binding.source
        case .queueBind(let binding), .queueUnbind(let binding): binding.destination
        case .queueDeclare(let queue): queue.name
        case .consume(let consume): consume.queue
        case .publish(let publish): publish.exchange
        default: ""
        }
    }
}

/// The methods a client sends, publishing and settling aside: those have paths of their own.
enum ClientMethod: Sendable, Equatable {
    struct DeclareExchange: Sendable, Equatable {
        var name: String
        var type: String
        var passive = false
        var durable = true
        var autoDelete = false
        var `internal` = false
        var noWait = false
        var arguments: FieldTable = [:]
    }

    struct DeclareQueue: Sendable, Equatable {
        var name: String
        var passive = false
        var durable = true
        var exclusive = false
        var autoDelete = false
        var noWait = false
        var arguments: FieldTable = [:]
    }

    /// The two ends of a binding: a queue or an exchange that gets messages, and the exchange they come from.
    struct Binding: Sendable, Equatable {
        var destination: String
        var source: String
        var routingKey: String
        var noWait = false
        var arguments: FieldTable = [:]
    }

    struct Consume: Sendable, Equatable {
        var queue: String
        var consumerTag: String
        var noLocal = false
        var noAck = false
        var exclusive = false
        var noWait = false
        var arguments: FieldTable = [:]
    }

    struct StartOk: Sendable, Equatable {
        var clientProperties: FieldTable
        var mechanism: String
        var response: [UInt8]
    }

    case connectionStartOk(StartOk)
    case connectionSecureOk(response: [UInt8])
    case connectionTuneOk(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case connectionOpen(virtualHost: String)
    case connectionClose(replyCode: UInt16, replyText: String)
    case connectionCloseOk
    case connectionUpdateSecret(secret: [UInt8], reason: String)
    case channelOpen
    case channelFlowOk(active: Bool)
    case channelClose(replyCode: UInt16, replyText: String)
    case channelCloseOk
    case exchangeDeclare(DeclareExchange)
    case exchangeDelete(name: String, ifUnused: Bool, noWait: Bool)
    case exchangeBind(Binding)
    case exchangeUnbind(Binding)
    case queueDeclare(DeclareQueue)
    case queueBind(Binding)
    case queueUnbind(Binding)
    case queuePurge(name: String)
    case queueDelete(name: String, ifUnused: Bool, ifEmpty: Bool, noWait: Bool)
    case basicQos(prefetchSize: UInt32, prefetchCount: UInt16, global: Bool)
    case basicConsume(Consume)
    case basicCancel(consumerTag: String, noWait: Bool)
    case basicGet(queue: String, noAck: Bool)
    case basicRecover(requeue: Bool)
    case confirmSelect
    case txSelect
    case txCommit
    case txRollback
}

extension ClientMethod {
    /// The protocol's name of the method.
    var name: String {
        switch self {
        case .connectionStartOk: "connection.start-ok"
        case .connectionSecureOk: "connection.secure-ok"
        case .connectionTuneOk: "connection.tune-ok"
        case .connectionOpen: "connection.open"
        case .connectionClose: "connection.close"
        case .connectionCloseOk: "connection.close-ok"
        case .connectionUpdateSecret: "connection.update-secret"
        case .channelOpen: "channel.open"
        case .channelFlowOk: "channel.flow-ok"
        case .channelClose: "channel.close"
        case .channelCloseOk: "channel.close-ok"
        case .exchangeDeclare: "exchange.declare"
        case .exchangeDelete: "exchange.delete"
        case .exchangeBind: "exchange.bind"
        case .exchangeUnbind: "exchange.unbind"
        case .queueDeclare: "queue.declare"
        case .queueBind: "queue.bind"
        case .queueUnbind: "queue.unbind"
        case .queuePurge: "queue.purge"
        case .queueDelete: "queue.delete"
        case .basicQos: "basic.qos"
        case .basicConsume: "basic.consume"
        case .basicCancel: "basic.cancel"
        case .basicGet: "basic.get"
        case .basicRecover: "basic.recover"
        case .confirmSelect: "confirm.select"
        case .txSelect: "tx.select"
        case .txCommit: "tx.commit"
        case .txRollback: "tx.rollback"
        }
    }

    /// The short strings and tables in it, to be checked before it is encoded.
    func validate() throws(AMQPError) {
        switch self {
        case .connectionStartOk(let start): try TableCheck.validate(start.clientProperties)
        case .connectionOpen(let virtualHost): try ShortString.validateText(virtualHost, name: "virtual host")
        case .connectionClose(_, let text), .channelClose(_, let text):
            try ShortString.validateText(text, name: "reply text")
        case .connectionUpdateSecret(_, let reason): try ShortString.validateText(reason, name: "reason")
        case .exchangeDeclare(let exchange):
            try ShortString.validateText(exchange.name, name: "exchange name")
            try ShortString.validateText(exchange.type, name: "exchange type")
            try TableCheck.validate(exchange.arguments)
        case .exchangeDelete(let name, _, _): try ShortString.validateText(name, name: "exchange name")
        case .exchangeBind(let binding), .exchangeUnbind(let binding), .queueBind(let binding),
            .queueUnbind(let binding):
            try ShortString.validateText(binding.destination, name: "name of the binding's destination")
            try ShortString.validateText(binding.source, name: "exchange name")
            try ShortString.validateText(binding.routingKey, name: "routing key")
            try TableCheck.validate(binding.arguments)
        case .queueDeclare(let queue):
            try ShortString.validateText(queue.name, name: "queue name")
            try TableCheck.validate(queue.arguments)
        case .queuePurge(let name), .queueDelete(let name, _, _, _), .basicGet(let name, _):
            try ShortString.validateText(name, name: "queue name")
        case .basicConsume(let consume):
            try ShortString.validateText(consume.queue, name: "queue name")
            try ShortString.validateText(consume.consumerTag, name: "consumer tag")
            try TableCheck.validate(consume.arguments)
        case .basicCancel(let tag, _): try ShortString.validateText(tag, name: "consumer tag")
        // Written out, so that the compiler asks for each that is added: a text of 256 bytes would end the connection.
        case .connectionSecureOk, .connectionTuneOk, .connectionCloseOk, .channelOpen, .channelFlowOk, .channelCloseOk,
            .basicQos, .basicRecover, .confirmSelect, .txSelect, .txCommit, .txRollback:
            break
        }
    }
}

internal import RabbitMQ

extension Request {
    /// Decodes the payload of a method frame.
    static func decode(_ payload: ArraySlice<UInt8>) throws(Refusal) -> (MethodID, Request) {
        var reader = WireReader(payload)
        let (classID, methodID) = (try reader.short(), try reader.short())
        let id = MethodID(classID: classID, methodID: methodID)
        let request: Request? =
            switch classID {
            case 10: try connection(methodID, &reader)
            case 20: try channel(methodID, &reader)
            case 40: try exchange(methodID, &reader)
            case 50: try queue(methodID, &reader)
            case 60: try basic(methodID, &reader)
            case 85 where methodID == 10: .confirmSelect(noWait: try reader.octet() & 1 != 0)
            case 90: .transaction
            default: nil
            }
        guard let request else { throw Refusal(.commandInvalid, "\(id), which is not a client's") }
        return (id, request)
    }

    private static func connection(_ method: UInt16, _ reader: inout WireReader) throws(Refusal) -> Request? {
        switch method {
        case 11:
            let properties = try reader.table()
            let mechanism = try reader.shortString()
            return .startOk(
                properties: properties,
                mechanism: mechanism,
                response: Array(try reader.longString())
            )
        case 31:
            let (channelMax, frameMax) = (try reader.short(), try reader.long())
            return .tuneOk(channelMax: channelMax, frameMax: frameMax, heartbeat: try reader.short())
        case 40: return .open(virtualHost: try reader.shortString())
        case 50: return .close
        case 51: return .closeOk
        case 70: return .updateSecret
        default: return nil
        }
    }

    private static func channel(_ method: UInt16, _ reader: inout WireReader) throws(Refusal) -> Request? {
        switch method {
        case 10: return .channelOpen
        case 20: return .channelFlow(active: try reader.octet() & 1 != 0)
        case 21: return .channelFlowOk
        case 40: return .channelClose
        case 41: return .channelCloseOk
        default: return nil
        }
    }

    private static func binding(_ reader: inout WireReader, hasNoWait: Bool = true) throws(Refusal) -> Binding {
        _ = try reader.short()
        let (destination, source) = (try reader.shortString(), try reader.shortString())
        let routingKey = try reader.shortString()
        let noWait = hasNoWait ? try reader.octet() & 1 != 0 : false
        return Binding(
            destination: destination,
            source: source,
            routingKey: routingKey,
            noWait: noWait,
            arguments: try reader.table()
        )
    }

    private static func exchange(_ method: UInt16, _ reader: inout WireReader) throws(Refusal) -> Request? {
        switch method {
        case 10:
            _ = try reader.short()
            let (name, type, bits) = (try reader.shortString(), try reader.shortString(), try reader.octet())
            return .exchangeDeclare(
                DeclareExchange(
                    name: name,
                    type: type,
                    passive: bits & 1 != 0,
                    durable: bits & 2 != 0,
                    autoDelete: bits & 4 != 0,
                    internal: bits & 8 != 0,
                    noWait: bits & 16 != 0,
                    arguments: try reader.table()
                )
            )
        case 20:
            _ = try reader.short()
            let (name, bits) = (try reader.shortString(), try reader.octet())
            return .exchangeDelete(name: name, ifUnused: bits & 1 != 0, noWait: bits & 2 != 0)
        case 30: return .exchangeBind(try binding(&reader))
        case 40: return .exchangeUnbind(try binding(&reader))
        default: return nil
        }
    }

    private static func queue(_ method: UInt16, _ reader: inout WireReader) throws(Refusal) -> Request? {
        switch method {
        case 10:
            _ = try reader.short()
            let (name, bits) = (try reader.shortString(), try reader.octet())
            return .queueDeclare(
                DeclareQueue(
                    name: name,
                    passive: bits & 1 != 0,
                    durable: bits & 2 != 0,
                    exclusive: bits & 4 != 0,
                    autoDelete: bits & 8 != 0,
                    noWait: bits & 16 != 0,
                    arguments: try reader.table()
                )
            )
        case 20: return .queueBind(try binding(&reader))
        case 30:
            _ = try reader.short()
            let name = try reader.shortString()
            return .queuePurge(name: name, noWait: try reader.octet() & 1 != 0)
        case 40:
            _ = try reader.short()
            let (name, bits) = (try reader.shortString(), try reader.octet())
            return .queueDelete(name: name, ifUnused: bits & 1 != 0, ifEmpty: bits & 2 != 0, noWait: bits & 4 != 0)
        case 50: return .queueUnbind(try binding(&reader, hasNoWait: false))
        default: return nil
        }
    }

    private static func basic(_ method: UInt16, _ reader: inout WireReader) throws(Refusal) -> Request? {
        switch method {
        case 10:
            let (size, count) = (try reader.long(), Int(try reader.short()))
            return .qos(prefetchSize: size, prefetchCount: count, global: try reader.octet() & 1 != 0)
        case 20:
            _ = try reader.short()
            let (queue, tag, bits) = (try reader.shortString(), try reader.shortString(), try reader.octet())
            return .consume(
                Consume(
                    queue: queue,
                    tag: tag,
                    noAck: bits & 2 != 0,
                    exclusive: bits & 4 != 0,
                    noWait: bits & 8 != 0,
                    arguments: try reader.table()
                )
            )
        case 30:
            let tag = try reader.shortString()
            return .cancel(tag: tag, noWait: try reader.octet() & 1 != 0)
        case 40:
            _ = try reader.short()
            let (exchange, key, bits) = (try reader.shortString(), try reader.shortString(), try reader.octet())
            return .publish(
                Publish(exchange: exchange, routingKey: key, mandatory: bits & 1 != 0, immediate: bits & 2 != 0)
            )
        case 70:
            _ = try reader.short()
            let queue = try reader.shortString()
            return .get(queue: queue, noAck: try reader.octet() & 1 != 0)
        case 80:
            let tag = try reader.longLong()
            return .ack(tag: tag, multiple: try reader.octet() & 1 != 0)
        case 90:
            let tag = try reader.longLong()
            return .reject(tag: tag, requeue: try reader.octet() & 1 != 0)
        case 100, 110: return .recover(requeue: try reader.octet() & 1 != 0, isAnswered: method == 110)
        case 120:
            let (tag, bits) = (try reader.longLong(), try reader.octet())
            return .nack(tag: tag, multiple: bits & 1 != 0, requeue: bits & 2 != 0)
        default: return nil
        }
    }
}

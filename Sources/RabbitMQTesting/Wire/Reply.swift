internal import RabbitMQ

/// A method that the broker sends, encoded.
struct Reply {
    let payload: [UInt8]

    private init(_ classID: UInt16, _ methodID: UInt16, _ fields: (inout WireWriter) -> Void = { _ in }) {
        var writer = WireWriter()
        writer.short(classID)
        writer.short(methodID)
        fields(&writer)
        payload = writer.bytes
    }

    static func start(_ properties: FieldTable) -> Reply {
        Reply(10, 10) {
            $0.octet(0)
            $0.octet(9)
            $0.table(properties)
            $0.longString("PLAIN EXTERNAL".utf8)
            $0.longString("en_US".utf8)
        }
    }

    static func tune(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16) -> Reply {
        Reply(10, 30) {
            $0.short(channelMax)
            $0.long(frameMax)
            $0.short(heartbeat)
        }
    }

    static var openOk: Reply { Reply(10, 41) { $0.shortString("") } }
    static var closeOk: Reply { Reply(10, 51) }
    static var updateSecretOk: Reply { Reply(10, 71) }
    static func blocked(_ reason: String) -> Reply { Reply(10, 60) { $0.shortString(reason) } }
    static var unblocked: Reply { Reply(10, 61) }

    static func close(_ refusal: Refusal, over method: MethodID) -> Reply { close(10, 50, refusal, method) }
    static func channelClose(_ refusal: Refusal, over method: MethodID) -> Reply { close(20, 40, refusal, method) }

    private static func close(_ classID: UInt16, _ methodID: UInt16, _ refusal: Refusal, _ cause: MethodID) -> Reply {
        Reply(classID, methodID) {
            $0.short(refusal.code.rawValue)
            $0.shortString(refusal.replyText)
            $0.short(cause.classID)
            $0.short(cause.methodID)
        }
    }

    static var channelOpenOk: Reply { Reply(20, 11) { $0.longString([]) } }
    static func channelFlowOk(active: Bool) -> Reply { Reply(20, 21) { $0.bit(active) } }
    static var channelCloseOk: Reply { Reply(20, 41) }
    static var exchangeDeclareOk: Reply { Reply(40, 11) }
    static var exchangeDeleteOk: Reply { Reply(40, 21) }
    static var exchangeBindOk: Reply { Reply(40, 31) }
    static var exchangeUnbindOk: Reply { Reply(40, 51) }

    static func queueDeclareOk(_ name: String, messages: Int, consumers: Int) -> Reply {
        Reply(50, 11) {
            $0.shortString(name)
            $0.long(UInt32(clamping: messages))
            $0.long(UInt32(clamping: consumers))
        }
    }

    static var queueBindOk: Reply { Reply(50, 21) }
    static func queuePurgeOk(_ count: Int) -> Reply { Reply(50, 31) { $0.long(UInt32(clamping: count)) } }
    static func queueDeleteOk(_ count: Int) -> Reply { Reply(50, 41) { $0.long(UInt32(clamping: count)) } }
    static var queueUnbindOk: Reply { Reply(50, 51) }
    static var qosOk: Reply { Reply(60, 11) }
    static func consumeOk(_ tag: String) -> Reply { Reply(60, 21) { $0.shortString(tag) } }
    static func cancelOk(_ tag: String) -> Reply { Reply(60, 31) { $0.shortString(tag) } }

    /// The broker's own cancel of a consumer.
    static func cancel(_ tag: String) -> Reply {
        Reply(60, 30) {
            $0.shortString(tag)
            $0.bit(true)
        }
    }

    static func returned(_ code: ReplyCode, _ text: String, exchange: String, routingKey: String) -> Reply {
        Reply(60, 50) {
            $0.short(code.rawValue)
            $0.shortString(text)
            $0.shortString(exchange)
            $0.shortString(routingKey)
        }
    }

    static func deliver(consumer: String, tag: UInt64, _ message: StoredMessage) -> Reply {
        Reply(60, 60) {
            $0.shortString(consumer)
            $0.longLong(tag)
            $0.bit(message.redelivered)
            $0.shortString(message.exchange)
            $0.shortString(message.routingKey)
        }
    }

    static func getOk(tag: UInt64, _ message: StoredMessage, left: Int) -> Reply {
        Reply(60, 71) {
            $0.longLong(tag)
            $0.bit(message.redelivered)
            $0.shortString(message.exchange)
            $0.shortString(message.routingKey)
            $0.long(UInt32(clamping: left))
        }
    }

    static var getEmpty: Reply { Reply(60, 72) { $0.shortString("") } }
    static var recoverOk: Reply { Reply(60, 111) }

    static func ack(_ number: UInt64, multiple: Bool) -> Reply {
        Reply(60, 80) {
            $0.longLong(number)
            $0.bit(multiple)
        }
    }

    static func nack(_ number: UInt64, multiple: Bool) -> Reply {
        Reply(60, 120) {
            $0.longLong(number)
            $0.bit(multiple)
        }
    }

    static var confirmSelectOk: Reply { Reply(85, 11) }
}

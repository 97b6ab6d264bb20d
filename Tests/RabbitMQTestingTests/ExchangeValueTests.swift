import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// Exchanges and bindings that RabbitMQ refuses, and what it bears.
@Suite struct ExchangeValueTests {
    private func declare(
        _ name: String,
        _ type: String,
        bits: UInt8 = 0,
        _ arguments: FieldTable = [:],
        by client: inout RawClient
    ) {
        client.send(40, 10) {
            $0.short(0)
            $0.shortString(name)
            $0.shortString(type)
            $0.octet(bits)
            $0.table(arguments)
        }
    }

    /// Binds an exchange (40, 30), unbinds one (40, 40), binds a queue (50, 20) or unbinds one (50, 50).
    private func bind(
        _ destination: String,
        _ source: String,
        _ classID: UInt16,
        _ methodID: UInt16,
        _ arguments: FieldTable = [:],
        by client: inout RawClient
    ) {
        client.send(classID, methodID) {
            $0.short(0)
            $0.shortString(destination)
            $0.shortString(source)
            $0.shortString("key")
            if methodID != 50 { $0.octet(0) }
            $0.table(arguments)
        }
    }

    @Test(arguments: [
        ("3.12.14", "connection.close 503"), ("3.13.7", "channel.close 406"), ("4.0.5", "channel.close 406"),
    ])
    func `an unknown type is refused as the version does`(version: String, answer: String) {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        declare("e", "x-consistent-hash", by: &client)
        #expect(client.methods().last == answer)
        #expect(client.broker.exchanges["e"] == nil)
    }

    @Test(arguments: [0, 1] as [UInt8])
    func `the default exchange is not declared, passively neither`(bits: UInt8) {
        var client = RawClient()
        declare("", "direct", bits: bits, by: &client)
        #expect(client.methods().last == "channel.close 403")
    }

    @Test func `an alternate exchange has a name`() {
        var client = RawClient()
        declare("e", "direct", ["alternate-exchange": 1], by: &client)
        #expect(client.methods().last == "channel.close 406")
    }

    @Test(arguments: ["some", 1, "all-with-y"] as [FieldValue])
    func `a headers exchange knows four ways to match`(mode: FieldValue) {
        var client = RawClient()
        client.declareQueue("q")
        bind("q", "amq.headers", 50, 20, ["x-match": "any-with-x"], by: &client)
        #expect(client.methods().last == "queue.bind-ok")
        bind("q", "amq.headers", 50, 20, ["x-match": mode], by: &client)
        #expect(client.methods().last == "channel.close 406")
        #expect(client.broker.exchanges["amq.headers"]?.bindings.count == 1)
    }

    @Test func `what is not there is unbound`() {
        var client = RawClient()
        bind("none", "amq.direct", 40, 40, by: &client)
        #expect(client.methods().last == "exchange.unbind-ok")
        bind("amq.fanout", "none", 40, 40, by: &client)
        #expect(client.methods().last == "exchange.unbind-ok")
        bind("none", "amq.direct", 50, 50, by: &client)
        #expect(client.methods().last == "queue.unbind-ok")
        bind("none", "", 50, 50, by: &client)
        #expect(client.methods().last == "channel.close 403")
    }

    @Test(arguments: [nil, "dead"] as [String?])
    func `a dead message goes by its BCC too, unless its queue says where to`(key: String?) {
        var client = RawClient()
        var arguments: FieldTable = ["x-dead-letter-exchange": ""]
        if let key { arguments["x-dead-letter-routing-key"] = .string(key) }
        client.declareQueue("copy")
        client.declareQueue("dead")
        client.declareQueue("q", arguments)
        client.publish(Message(body: [1], headers: ["BCC": ["copy"]]), to: "q")
        client.get("q")
        client.reject(1, requeue: false)
        #expect(client.broker.queues["copy"]?.ready.count == (key == nil ? 2 : 1))
        #expect(client.broker.queues["dead"]?.ready.count == (key == nil ? 0 : 1))
        let seen = client.broker.queues["copy"]?.ready.all.map { $0.message.headers?["BCC"] == nil }
        #expect(seen?.contains(false) == false)
    }

    @Test(
        arguments: [
            (.float(1.5), true), (.double(1.5), true), (.double(2.5), false), (.decimal(scale: 1, unscaled: 15), false),
            (.string("1.5"), false),
        ] as [(FieldValue, Bool)]
    )
    func `a floating-point number matches one of the other size too`(value: FieldValue, fits: Bool) {
        for wanted in [.float(1.5), .double(1.5)] as [FieldValue] {
            #expect(HeadersMatch(["n": wanted]).accepts(["n": value]) == fits)
        }
    }

    @Test func `a passive declaration without a name finds nothing`() {
        var client = RawClient()
        client.declareQueue("q")
        client.declareQueue("", bits: 1)
        #expect(client.methods().last == "channel.close 404")
    }

    @Test(arguments: [0, 1] as [UInt8])
    func `the address of direct replies is declared either way`(bits: UInt8) {
        var client = RawClient()
        client.declareQueue("amq.rabbitmq.reply-to", bits: bits)
        #expect(client.methods().last == "queue.declare-ok")
        client.declareQueue("amq.rabbitmq.reply-to.nobody", bits: bits)
        #expect(client.methods().last == "channel.close 404")
    }
}

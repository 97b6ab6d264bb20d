import Testing

@testable import RabbitMQ

@Suite("names of exchanges and queues")
struct EntityNameTests {
    private func isExchange(_ name: String, isPassive: Bool = false) -> Bool {
        (try? EntityName.checkExchange(name, isPassive: isPassive)) != nil
    }

    private func isQueue(_ name: String, isPassive: Bool = false) -> Bool {
        (try? EntityName.checkQueue(name, isPassive: isPassive)) != nil
    }

    @Test(
        arguments: [
            "a", "Z", "0", "_", "-", ".", ":", "a.b-c_d:e", "amqp.x", "AMQ.x", "x.amq.", "amq", "a*", "a b", " ", "a/b",
            "a#", "\u{E9}", "e\u{301}", "\u{1F407}", "a,b", "\u{212A}", "a;", "@", "\t", "\u{85}", "日本語",
            "Shop.Orders.OrderPlaced, Shop.Orders_billing", "celery@host.celery.pidbox",
            "Shop:Orders/Fault<OrderPlaced>",
        ]
    )
    func `what both may be called`(name: String) {
        for isPassive in [true, false] {
            #expect(isExchange(name, isPassive: isPassive))
            #expect(isQueue(name, isPassive: isPassive))
        }
        #expect(isExisting(name))
    }

    @Test(arguments: ["", "a\n", "\na", "a\r", "a\r\n", "a\u{0}", String(amqpBytes: [0x61, 0xFF])])
    func `what neither may be called, passive or not, nor as a handle`(name: String) {
        for isPassive in [true, false] {
            #expect(!isExchange(name, isPassive: isPassive))
            #expect(!isQueue(name, isPassive: isPassive))
        }
        #expect(!isExisting(name))
    }

    @Test func `the error says which sign is not possible, and shows the name on one line`() throws {
        for (name, sign) in [("a\nb", "line feed"), ("a\rb", "carriage return"), ("a\u{0}b", "NUL")] {
            let error = try #require(
                #expect(throws: AMQPError.self) { try EntityName.checkQueue(name, isPassive: false) }
            )
            #expect(error.message.contains(sign))
            #expect(!error.message.contains(name))
        }
    }

    private func isExisting(_ name: String) -> Bool {
        (try? EntityName.checkExisting(name, kind: "queue", code: .invalidName)) != nil
    }

    @Test func `the broker's own names are only looked up`() {
        for name in ["amq.", "amq.direct", "amq.gen-x", "amq.\u{301}"] {
            #expect(!isExchange(name))
            #expect(!isQueue(name))
            #expect(isExchange(name, isPassive: true))
            #expect(isQueue(name, isPassive: true))
        }
        #expect(isQueue("amq.rabbitmq.reply-to"))
        #expect(!isExchange("amq.rabbitmq.reply-to"))
    }

    @Test func `255 bytes and no more`() {
        let longest = String(repeating: "a", count: 255)
        #expect(isExchange(longest) && isQueue(longest))
        #expect(!isExchange(longest + "a") && !isQueue(longest + "a"))
        let letters = String(repeating: "é", count: 127)
        #expect(isQueue(letters + "a") && !isQueue(letters + "é"))
    }

    @Test func `the kinds of names have errors of their own`() {
        #expect(throws: AMQPError.self) { try EntityName.checkQueue("a\n", isPassive: false) }
        do throws(AMQPError) { try EntityName.checkQueue("a\n", isPassive: false) } catch {
            #expect(error.code == .invalidName)
        }
        do throws(AMQPError) { try EntityName.checkExchange("a\n", isPassive: false) } catch {
            #expect(error.code == .invalidExchangeName)
        }
    }
}

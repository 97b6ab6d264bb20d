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

    @Test(arguments: ["a", "Z", "0", "_", "-", ".", ":", "a.b-c_d:e", "amqp.x", "AMQ.x", "x.amq.", "amq"])
    func `what both may be called`(name: String) {
        #expect(isExchange(name))
        #expect(isQueue(name))
    }

    @Test(
        arguments: [
            "", "a b", "a/b", "a#", "\u{E9}", "e\u{301}", "a\n", "a\u{0}", "\u{1F407}", "a,b", "\u{212A}", "a;", "@",
        ]
    )
    func `what neither may be called, passive or not`(name: String) {
        for isPassive in [true, false] {
            #expect(!isExchange(name, isPassive: isPassive))
            #expect(!isQueue(name, isPassive: isPassive))
        }
    }

    @Test func `the broker's own names are only looked up`() {
        for name in ["amq.", "amq.direct", "amq.gen-x"] {
            #expect(!isExchange(name))
            #expect(!isQueue(name))
            #expect(isExchange(name, isPassive: true))
            #expect(isQueue(name, isPassive: true))
        }
        #expect(isQueue("amq.rabbitmq.reply-to"))
        #expect(!isExchange("amq.rabbitmq.reply-to"))
    }

    @Test func `queues may have a star`() {
        #expect(isQueue("a*"))
        #expect(!isExchange("a*"))
    }

    @Test func `255 bytes and no more`() {
        let longest = String(repeating: "a", count: 255)
        #expect(isExchange(longest) && isQueue(longest))
        #expect(!isExchange(longest + "a") && !isQueue(longest + "a"))
    }

    @Test func `the kinds of names have errors of their own`() {
        #expect(throws: AMQPError.self) { try EntityName.checkQueue("a b", isPassive: false) }
        do throws(AMQPError) { try EntityName.checkQueue("a b", isPassive: false) } catch {
            #expect(error.code == .invalidName)
        }
        do throws(AMQPError) { try EntityName.checkExchange("a b", isPassive: false) } catch {
            #expect(error.code == .invalidExchangeName)
        }
    }
}

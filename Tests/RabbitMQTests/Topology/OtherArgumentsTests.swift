import Testing

@testable import RabbitMQ

@Suite("Typed arguments of exchanges and bindings, and what queues of some types refuse")
struct OtherArgumentsTests {
    @Test("an exchange's arguments have RabbitMQ's names, and are read back")
    func exchange() throws {
        let arguments = ExchangeArguments(alternateExchange: "unrouted", custom: ["x-delayed-type": "topic"])
        #expect(arguments.table == ["alternate-exchange": "unrouted", "x-delayed-type": "topic"])
        #expect(ExchangeArguments(arguments.table) == arguments)
        #expect(ExchangeArguments(["alternate-exchange": 5]).table == ["alternate-exchange": 5])
        #expect(ExchangeArguments().table.isEmpty)
        try arguments.validate("e")
    }

    @Test(
        "an exchange's arguments that can't work are refused",
        arguments: [
            (ExchangeArguments(alternateExchange: String(repeating: "é", count: 128)), "has 256 bytes"),
            (ExchangeArguments(alternateExchange: "a", custom: ["alternate-exchange": "b"]), "given twice"),
        ]
    )
    func exchangeChecks(arguments: ExchangeArguments, says: String) {
        let error = #expect(throws: AMQPError.self) { try arguments.validate("e") }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(says) == true)
    }

    @Test("a binding's headers go out beside x-match")
    func binding() throws {
        let arguments = BindingArguments.headers(.anyWithX, ["x-a": 1, "b": .void])
        #expect(arguments.table == ["x-match": "any-with-x", "x-a": 1, "b": .void])
        try arguments.validate()
        #expect(BindingArguments(headers: ["a": 1]).table == ["a": 1])
        #expect(BindingArguments.Match.all.rawValue == "all")
        #expect(BindingArguments.Match.any.rawValue == "any")
        #expect(BindingArguments.Match.allWithX.rawValue == "all-with-x")
    }

    @Test(
        "a binding's arguments that can't work are refused",
        arguments: [
            (BindingArguments.headers(.all, ["x-match": "any"]), "x-match is not a header"),
            (BindingArguments.headers(.any, ["x-retry": 1]), "x-retry would not be looked at"),
            (BindingArguments(headers: ["x-retry": 1]), "x-retry would not be looked at"),
            (BindingArguments(match: .all, custom: ["x-match": "any"]), "given twice"),
            (BindingArguments(headers: ["a": 1], custom: ["a": 2]), "a is given twice"),
        ]
    )
    func bindingChecks(arguments: BindingArguments, says: String) {
        let error = #expect(throws: AMQPError.self) { try arguments.validate() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(says) == true)
    }

    @Test("a stream is consumed with acknowledgements and a prefetch limit, and only consumed")
    func streamRules() throws {
        func check(_ type: QueueType?, noAck: Bool, prefetch: UInt16, isGlobal: Bool = false) throws {
            try StreamRules.checkConsume(
                type: type,
                queue: "q",
                noAck: noAck,
                prefetchCount: prefetch,
                isGlobal: isGlobal
            )
        }
        try check(.stream, noAck: false, prefetch: 1)
        try check(nil, noAck: true, prefetch: 0)
        try check(.quorum, noAck: true, prefetch: 0)
        try check(.classic, noAck: false, prefetch: 5, isGlobal: true)
        #expect(throws: AMQPError.self) { try check(.stream, noAck: true, prefetch: 1) }
        #expect(throws: AMQPError.self) { try check(.stream, noAck: false, prefetch: 0) }
        #expect(throws: AMQPError.self) { try check(.stream, noAck: false, prefetch: 1, isGlobal: true) }
        #expect(throws: AMQPError.self) { try check(.quorum, noAck: false, prefetch: 1, isGlobal: true) }
        #expect(throws: AMQPError.self) { try StreamRules.checkGet(type: .stream, queue: "q") }
        #expect(throws: AMQPError.self) { try StreamRules.checkPurge(type: .stream, queue: "q") }
        try StreamRules.checkGet(type: .quorum, queue: "q")
        try StreamRules.checkPurge(type: nil, queue: "q")
    }
}

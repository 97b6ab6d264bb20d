import Testing

@testable import RabbitMQ

@Suite("Typed arguments of bindings, and what queues of some types refuse")
struct OtherArgumentsTests {
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
            (BindingArguments(selector: "true.", custom: ["rjms_erlang_selector": "false."]), "given twice"),
            (BindingArguments(headers: ["rjms_erlang_selector": "a"], selector: "true."), "say it with selector"),
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

    @Test("a binding's selector has a name of its own, and is read back")
    func selector() throws {
        let arguments = BindingArguments(headers: ["a": 1], selector: "true.")
        #expect(arguments.table == ["a": 1, "rjms_erlang_selector": "true."])
        #expect(BindingArguments(arguments.table) == arguments)
        #expect(BindingArguments(["rjms_erlang_selector": 7]).table == ["rjms_erlang_selector": 7])
        try arguments.validate()
    }

    @Test("a binding to an x-jms-topic exchange without a selector, which would cost the connection, is refused")
    func selectorNeeded() throws {
        for arguments in [[:], ["rjms_erlang_selector": 7], ["rjms_erlang_selector": .bytes([97])]] as [FieldTable] {
            let error = #expect(throws: AMQPError.self) {
                try ExchangeRules.checkBind(to: "e", type: .jmsTopic, arguments: arguments)
            }
            #expect(error?.code == .invalidArgument)
            try ExchangeRules.checkBind(to: "e", type: .direct, arguments: arguments)
        }
        try ExchangeRules.checkBind(to: "e", type: .jmsTopic, arguments: ["rjms_erlang_selector": "true."])
        let topology = Topology(exchanges: [.init("e", type: .jmsTopic)], bindings: [.init(queue: "q", to: "e")])
        #expect(throws: AMQPError.self) { try topology.validate() }
    }
}

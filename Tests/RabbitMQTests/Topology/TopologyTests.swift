import Foundation
import Testing

@testable import RabbitMQ

@Suite("A topology as a value")
struct TopologyTests {
    static let refused: [(Topology, String)] = [
        (Topology(exchanges: [.init("")]), "the exchange name is empty"),
        (Topology(exchanges: [.init("amq.topic")]), "kept for brokers"),
        (Topology(exchanges: [.init("line\n")]), "line feed"),
        (
            Topology(exchanges: [.init("e", type: ExchangeType(rawValue: String(repeating: "t", count: 256)))]),
            "256 bytes"
        ),
        (Topology(exchanges: [.init("e"), .init("e", type: .topic)]), "the exchange e is described twice"),
        (
            Topology(exchanges: [
                .init("e", arguments: .init(alternateExchange: "a", custom: ["alternate-exchange": "b"]))
            ]),
            "the exchange e: alternate-exchange is given twice"
        ),
        (
            Topology(exchanges: [.init("e", type: .delayedMessage)]),
            "the exchange e: an exchange of type x-delayed-message"
        ),
        (
            Topology(exchanges: [.init("e", type: .consistentHash, arguments: .init(custom: ["hash-header": 7]))]),
            "the exchange e: hash-header must be text"
        ),
        (Topology(queues: [.init("")]), "the queue name is empty"),
        (Topology(queues: [.init("amq.gen-1")]), "kept for brokers"),
        (Topology(queues: [.init("q"), .init("q", durable: false)]), "the queue q is described twice"),
        (Topology(queues: [.init("q", exclusive: true, arguments: .init(type: .stream))]), "can't be exclusive"),
        (
            Topology(queues: [.init("q", arguments: .init(custom: [String(repeating: "k", count: 256): 1]))]),
            "256 bytes"
        ),
        (Topology(bindings: [.init(queue: "q", to: "")]), "the source exchange name is empty"),
        (Topology(bindings: [.init(queue: "", to: "e")]), "the bound queue name is empty"),
        (Topology(bindings: [.init(exchange: "", to: "e")]), "the bound exchange name is empty"),
        (
            Topology(bindings: [.init(queue: "q", to: "e", routingKey: String(repeating: "k", count: 256))]),
            "routing key"
        ),
        (Topology(bindings: [.init(queue: "q", to: "e", arguments: .headers(.all, ["x-a": 1]))]), "not be looked at"),
    ]

    @Test("what no broker could take is refused", arguments: refused)
    func refuses(topology: Topology, says: String) {
        let error = #expect(throws: AMQPError.self) { try topology.validate() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }

    @Test("everything that is wrong is listed")
    func lists() {
        let error = #expect(throws: AMQPError.self) {
            try Topology(exchanges: [.init("amq.a")], queues: [.init("amq.b")], bindings: [.init(queue: "", to: "")])
                .validate()
        }
        for name in ["amq.a", "amq.b", "source exchange"] { #expect(error?.message.contains(name) == true) }
    }

    @Test("what is described twice alike is one, and foreign names may be bound")
    func accepts() throws {
        try Topology(
            exchanges: [.init("e"), .init("e")],
            queues: [.init("q*"), .init("q*")],
            bindings: [.init(queue: "q*", to: "amq.topic"), .init(queue: "with space", to: "e")]
        ).validate()
    }

    @Test("an alternate exchange comes before those that name it, and rings end")
    func order() {
        func exchange(_ name: String, _ alternate: String? = nil) -> Topology.Exchange {
            Topology.Exchange(name, arguments: ExchangeArguments(alternateExchange: alternate))
        }
        func order(_ exchanges: Topology.Exchange...) -> [String] {
            Topology(exchanges: exchanges).inOrderOfAlternates().map(\.name)
        }
        #expect(order(exchange("a", "b"), exchange("b", "c"), exchange("c"), exchange("d")) == ["c", "b", "a", "d"])
        #expect(order(exchange("a", "b"), exchange("b", "a")) == ["b", "a"])
        #expect(order(exchange("a", "a"), exchange("b", "elsewhere"), exchange("b", "elsewhere")) == ["a", "b"])
    }

    static let example = Topology(
        exchanges: [
            .init("unrouted", type: .fanout),
            .init(
                "orders",
                type: .topic,
                durable: false,
                autoDelete: true,
                arguments: .init(alternateExchange: "unrouted")
            ),
            .init("later", type: .delayedMessage, arguments: .init(delayedType: .topic)),
            .init("spread", type: .consistentHash, arguments: .init(hashProperty: .messageID)),
            .init("recent", type: .recentHistory, arguments: .init(recentHistoryLength: 5)),
            .init("audit", type: "x-plugin", internal: true, arguments: .init(custom: ["x-own": "topic"])),
        ],
        queues: [
            .init("orders.eu", arguments: .init(type: .quorum, deliveryLimit: 5)),
            .init(
                "retried",
                arguments: .init(
                    type: .quorum,
                    delayedRetryType: .failed,
                    delayedRetryMin: .seconds(1),
                    delayedRetryMax: .seconds(30),
                    consumerTimeout: .seconds(90),
                    consumerDisconnectedTimeout: .seconds(10)
                )
            ),
            .init("log", arguments: .init(type: .stream, filterSize: 32)),
            .init("elsewhere", arguments: .init(type: .jms)),
            .init("own", durable: false, exclusive: true, autoDelete: true, arguments: .init(expires: .seconds(5))),
            .init("all", arguments: .init(custom: everyType)),
        ],
        bindings: [
            .init(queue: "orders.eu", to: "orders", routingKey: "eu.#"),
            .init(exchange: "audit", to: "orders", arguments: .headers(.anyWithX, ["x-a": 1, "b": .void])),
        ]
    )

    static let everyType: FieldTable = [
        "bool": true, "int8": .int8(-1), "uint8": .uint8(1), "int16": .int16(-1), "uint16": .uint16(1),
        "int32": .int32(-1), "uint32": .uint32(1), "int64": .int64(.min), "uint64": .uint64(.max), "float": .float(0.5),
        "double": .double(2), "decimal": .decimal(scale: 2, unscaled: -150), "string": "text",
        "bytes": .bytes([0, 255]),
        "array": [1, "a", nil], "timestamp": .timestamp(1_700_000_000), "table": ["a": 1], "void": .void,
        "tag": ["$int8": 1], "$int8": 5,
    ]

    @Test("it goes to JSON and comes back the same, with every type of argument")
    func codable() throws {
        let json = try JSONEncoder().encode(Self.example)
        #expect(try JSONDecoder().decode(Topology.self, from: json) == Self.example)
        try Self.example.validate()
    }

    @Test("values that only some brokers take pass the checks, and go to JSON and back")
    func unusualValues() throws {
        let topology = Topology(queues: [
            .init("endless", arguments: .init(type: .quorum, deliveryLimit: -1)),
            .init("flat", arguments: .init(maxPriority: 0)),
            .init("odd", arguments: QueueArguments(["x-delivery-limit": -5, "x-max-priority": 300])),
        ])
        try topology.validate()
        #expect(topology.queues[2].arguments.table == ["x-delivery-limit": -5, "x-max-priority": 300])
        let json = try JSONEncoder().encode(topology)
        let decoded = try JSONDecoder().decode(Topology.self, from: json)
        #expect(decoded == topology)
        try decoded.validate()
        #expect(decoded.queues[0].arguments.deliveryLimit == -1)
        #expect(decoded.queues[1].arguments.maxPriority == 0)
    }

    @Test("what people write may leave out what has a default")
    func handwritten() throws {
        let json = """
            {
              "exchanges": [{"name": "orders", "type": "topic"}],
              "queues": [{"name": "eu", "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 5, "x-max-length": {"$int32": 9}}}],
              "bindings": [{"source": "orders", "queue": "eu", "routingKey": "eu.#"}, {"source": "a", "exchange": "b"}]
            }
            """
        let expected = Topology(
            exchanges: [.init("orders", type: .topic)],
            queues: [.init("eu", arguments: .init(type: .quorum, maxLength: 9, deliveryLimit: 5))],
            bindings: [.init(queue: "eu", to: "orders", routingKey: "eu.#"), .init(exchange: "b", to: "a")]
        )
        #expect(try JSONDecoder().decode(Topology.self, from: Data(json.utf8)) == expected)
        #expect(try JSONDecoder().decode(Topology.self, from: Data("{}".utf8)) == Topology())
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Topology.self, from: Data(#"{"bindings": [{"source": "a"}]}"#.utf8))
        }
    }

    @Test("a plan prints a line for each entity")
    func description() {
        var plan = TopologyPlan()
        plan.exchanges = [.init(entity: .init("orders"), state: .exists)]
        plan.queues = [.init(entity: .init("eu"), state: .missing)]
        plan.bindings = [.init(entity: .init(queue: "eu", to: "orders", routingKey: "#"), state: .unknown)]
        #expect(
            plan.description == """
                exists: the exchange orders
                missing: the queue eu
                unknown, will be ensured: the binding of the queue eu to the exchange orders by "#"
                """
        )
        #expect(!plan.isComplete)
        plan.queues = [.init(entity: .init("eu"), state: .conflict(AMQPError(.preconditionFailed, "no")))]
        #expect(plan.conflicts == ["the queue eu: no"])
        #expect(plan.description.contains("conflict: the queue eu: no"))
    }
}

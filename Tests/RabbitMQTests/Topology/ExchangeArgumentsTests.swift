import Testing

@testable import RabbitMQ

@Suite("Typed arguments of exchanges")
struct ExchangeArgumentsTests {
    @Test("have RabbitMQ's names, and are read back")
    func wire() {
        let arguments = ExchangeArguments(
            alternateExchange: "unrouted",
            delayedType: .consistentHash,
            hashHeader: "customer",
            hashProperty: .messageID,
            recentHistoryLength: 5,
            custom: ["x-custom": "as it is"]
        )
        let expected: FieldTable = [
            "alternate-exchange": "unrouted", "x-delayed-type": "x-consistent-hash", "hash-header": "customer",
            "hash-property": "message_id", "x-recent-history-length": 5, "x-custom": "as it is",
        ]
        #expect(arguments.table == expected)
        #expect(ExchangeArguments(expected) == arguments)
        #expect(ExchangeArguments().table.isEmpty)
        let properties: [ExchangeArguments.HashProperty] = [.correlationID, .messageID, .timestamp]
        #expect(properties.map(\.rawValue) == ["correlation_id", "message_id", "timestamp"])
    }

    @Test(
        "what it would write otherwise stays as it is",
        arguments: [
            ["alternate-exchange": 5], ["x-delayed-type": 5], ["hash-header": .void], ["hash-property": .bytes([255])],
            ["x-recent-history-length": 0], ["x-recent-history-length": "5"],
        ] as [FieldTable]
    )
    func escape(table: FieldTable) {
        let arguments = ExchangeArguments(table)
        #expect(arguments == ExchangeArguments(custom: table))
        #expect(arguments.table == table)
    }

    @Test("types have RabbitMQ's names")
    func types() {
        let types: [ExchangeType] = [
            .localRandom, .random, .modulusHash, .consistentHash, .recentHistory, .jmsTopic, .delayedMessage,
        ]
        #expect(
            types.map(\.rawValue) == [
                "x-local-random", "x-random", "x-modulus-hash", "x-consistent-hash", "x-recent-history", "x-jms-topic",
                "x-delayed-message",
            ]
        )
    }

    struct Case: CustomTestStringConvertible {
        var type: ExchangeType
        var arguments: ExchangeArguments
        var says: String
        var testDescription: String { says }

        init(_ type: ExchangeType, _ arguments: ExchangeArguments, says: String) {
            self.type = type
            self.arguments = arguments
            self.says = says
        }
    }

    static let refused = [
        Case(.direct, ExchangeArguments(alternateExchange: String(repeating: "é", count: 128)), says: "has 256 bytes"),
        Case(
            .direct,
            ExchangeArguments(alternateExchange: "a", custom: ["alternate-exchange": "b"]),
            says: "alternate-exchange is given twice"
        ),
        Case(
            .consistentHash,
            ExchangeArguments(hashHeader: "a", hashProperty: .timestamp),
            says: "hash-header and hash-property can't be given both"
        ),
        Case(
            .consistentHash,
            ExchangeArguments(hashHeader: "a", custom: ["hash-property": "timestamp"]),
            says: "hash-header and hash-property can't be given both"
        ),
        Case(.consistentHash, ExchangeArguments(custom: ["hash-header": 7]), says: "hash-header must be text"),
        Case(.consistentHash, ExchangeArguments(custom: ["hash-property": .void]), says: "hash-property must be text"),
        Case(
            .delayedMessage,
            ExchangeArguments(delayedType: .consistentHash, custom: ["hash-header": 7]),
            says: "hash-header must be text"
        ),
        Case(
            .recentHistory,
            ExchangeArguments(recentHistoryLength: 0),
            says: "x-recent-history-length is 0; it must be at least 1"
        ),
        Case(.delayedMessage, ExchangeArguments(), says: "an exchange of type x-delayed-message needs x-delayed-type"),
        Case(
            .delayedMessage,
            ExchangeArguments(delayedType: .delayedMessage),
            says: "x-delayed-type can't be x-delayed-message itself"
        ),
        Case(
            .direct,
            ExchangeArguments(delayedType: .direct),
            says: "x-delayed-type is only for exchanges of type x-delayed-message, not direct"
        ),
        Case(
            .topic,
            ExchangeArguments(hashHeader: "a"),
            says: "hash-header is only for exchanges of type x-consistent"
        ),
        Case(.modulusHash, ExchangeArguments(hashProperty: .timestamp), says: "hash-property is only for exchanges of"),
        Case(.fanout, ExchangeArguments(recentHistoryLength: 5), says: "x-recent-history-length is only for exchanges"),
        Case(
            .delayedMessage,
            ExchangeArguments(delayedType: .topic, hashHeader: "a"),
            says: "hash-header is only for exchanges of type x-consistent-hash, not x-delayed-message"
        ),
    ]

    @Test("what can't work is an invalidArgument that says why", arguments: refused)
    func refuses(_ refused: Case) {
        let error = #expect(throws: AMQPError.self) { try refused.arguments.validate("e", type: refused.type) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(refused.says) == true, "\(error?.message ?? "")")
    }

    static let accepted = [
        Case(.direct, ExchangeArguments(), says: "none"),
        Case(.consistentHash, ExchangeArguments(), says: "by the routing key"),
        Case(.consistentHash, ExchangeArguments(hashHeader: ""), says: "by a header"),
        Case(.consistentHash, ExchangeArguments(hashProperty: .correlationID), says: "by a property"),
        Case(.recentHistory, ExchangeArguments(recentHistoryLength: .max), says: "a long history"),
        Case(.delayedMessage, ExchangeArguments(custom: ["x-delayed-type": "direct"]), says: "delayed, custom"),
        Case(
            .delayedMessage,
            ExchangeArguments(delayedType: .consistentHash, hashHeader: "a"),
            says: "delayed, then by a header"
        ),
        Case(
            .direct,
            ExchangeArguments(custom: ["hash-header": 7]),
            says: "custom is unchecked where nothing dies of it"
        ),
        Case("x-next", ExchangeArguments(hashHeader: "a", recentHistoryLength: 5), says: "a type that came later"),
        Case(
            .delayedMessage,
            ExchangeArguments(delayedType: "x-next", hashHeader: "a"),
            says: "delayed, then a type that came later"
        ),
    ]

    @Test("what can work passes", arguments: accepted)
    func accepts(_ accepted: Case) throws {
        try accepted.arguments.validate("e", type: accepted.type)
    }

    @Test("what would cost the connection is refused however it is given")
    func rules() throws {
        for key in ["hash-header", "hash-property"] {
            for value in [FieldValue.int32(7), .void, .bytes([97]), .table([:])] {
                let error = #expect(throws: AMQPError.self) {
                    try ExchangeArguments([key: value]).validate("e", type: .consistentHash)
                }
                #expect(error?.code == .invalidArgument)
            }
            try ExchangeArguments([key: "a"]).validate("e", type: .consistentHash)
            try ExchangeArguments([key: 7]).validate("e", type: .topic)
        }
    }
}

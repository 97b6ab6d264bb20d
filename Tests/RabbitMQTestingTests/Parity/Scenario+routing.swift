import RabbitMQ
import TestSupport

extension Scenario {
    static let routing = [
        Scenario("The default exchange: to the queue of that name") { stage in
            try await stage.withChannel { _, channel in
                let (one, other) = (
                    try await channel.declareQueue(exclusive: true), try await channel.declareQueue(exclusive: true)
                )
                try await one.fill("a", "b")
                return [try await one.drain(), try await other.drain()].map { "\($0)" }
            }
        },
        Scenario("Direct, fanout and topic exchanges, unbinding") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                var seen: [String] = []
                for (type, pattern) in [
                    (ExchangeType.direct, "a.b"), (.fanout, "x"), (.topic, "a.*"), (.topic, "#.c.#"),
                ] {
                    let exchange = try await channel.declareExchange(stage.name("\(type)\(seen.count)"), type: type)
                    let binding = try await queue.bind(to: exchange, routingKey: pattern)
                    try await queue.bind(to: exchange, routingKey: pattern)
                    for key in ["a.b", "a.b.c", "c", "", "a.", "a"] {
                        try await exchange.publishConfirmed(.plain(key), routingKey: key, mandatory: false)
                    }
                    seen.append("\(type) \(pattern) \(try await queue.drain())")
                    try await binding.unbind()
                    try await exchange.publishConfirmed(.plain("gone"), routingKey: "a.b", mandatory: false)
                    seen.append("\(try await queue.drain())")
                    try await exchange.delete()
                }
                return seen
            }
        },
        Scenario("Headers exchanges: all, any, any-with-x") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                let exchange = try await channel.declareExchange(stage.name("h"), type: .headers, autoDelete: true)
                var seen: [String] = []
                let matches: [BindingArguments] = [
                    ["x-match": "all", "a": 1, "b": "two"], ["x-match": "any", "a": 1, "b": "two"], ["a": .void], [:],
                    ["x-match": "any", "x-a": 1],
                ]
                let headers: [FieldTable] = [["a": 1, "b": "two"], ["a": 1], ["a": 2], ["b": "two"], ["x-a": 1]]
                // Kept, so that the exchange stays.
                try await queue.bind(to: exchange, arguments: ["x-match": "all", "never": 1])
                for arguments in matches {
                    let binding = try await queue.bind(to: exchange, arguments: arguments)
                    for (index, headers) in headers.enumerated() {
                        let message = Message.plain("\(index)", headers: headers)
                        try await exchange.publishConfirmed(message, routingKey: "", mandatory: false)
                    }
                    seen.append("\(try await queue.drain())")
                    try await binding.unbind()
                }
                return seen
            }
        },
        Scenario("Exchanges bound to exchanges; a queue gets a message once") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                let first = try await channel.declareExchange(stage.name("1"), type: .fanout, autoDelete: true)
                let second = try await channel.declareExchange(stage.name("2"), type: .topic, autoDelete: true)
                try await second.bind(to: first)
                try await first.bind(to: second, routingKey: "#")
                try await queue.bind(to: second, routingKey: "a.#")
                try await queue.bind(to: second, routingKey: "#.b")
                try await queue.bind(to: first)
                try await first.publishConfirmed(.plain("x"), routingKey: "a.b")
                try await second.publishConfirmed(.plain("y"), routingKey: "a.b")
                return try await queue.drain()
            }
        },
        Scenario("Alternate exchanges; mandatory messages that come back") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                let alternate = try await channel.declareExchange(stage.name("alt"), type: .fanout, autoDelete: true)
                let arguments = ExchangeArguments(alternateExchange: alternate.name)
                let exchange = try await channel.declareExchange(stage.name("e"), arguments: arguments)
                let bare = await stage.outcome {
                    try await exchange.publishConfirmed(.plain("0"), routingKey: "k", mandatory: true)
                }
                try await queue.bind(to: alternate)
                try await exchange.publishConfirmed(.plain("1"), routingKey: "k", mandatory: true)
                try await exchange.delete()
                return [bare] + (try await queue.drain())
            }
        },
        Scenario("CC and BCC headers") { stage in
            try await stage.withChannel { _, channel in
                var queues: [Queue] = []
                for _ in 0..<3 { queues.append(try await channel.declareQueue(exclusive: true)) }
                let headers: FieldTable = [
                    "CC": .array([.string(queues[1].name)]), "BCC": .array([.string(queues[2].name)]),
                ]
                try await queues[0].publishConfirmed(.plain("x", headers: headers))
                var seen: [String] = []
                for queue in queues {
                    let message = try await queue.take(1)[0]
                    seen.append("\(message.summary) \((message.headers ?? [:]).keys.sorted())")
                }
                return seen
            }
        },
        Scenario(
            "Internal exchanges, unknown exchanges and types are refused",
            changes: [.init(.v3_13, "an unknown type closes the channel with 406, before that the connection with 503")]
        ) { stage in
            var seen: [String] = []
            for attempt in 0..<5 {
                seen.append(
                    try await stage.withChannel { connection, channel in
                        await stage.outcome {
                            switch attempt {
                            case 0:
                                let exchange = try await channel.declareExchange(
                                    stage.name("i"),
                                    autoDelete: true,
                                    internal: true
                                )
                                try await channel.declareQueue(exclusive: true).bind(to: exchange)
                                try await exchange.publishConfirmed(.plain("x"), routingKey: "")
                            case 1:
                                try await channel.exchange(stage.name("none")).publishConfirmed(
                                    .plain("x"),
                                    routingKey: ""
                                )
                            case 2: _ = try await channel.declareExchange(stage.name("none"), passive: true)
                            case 3:
                                let type = ExchangeType(rawValue: "no-such-type")
                                _ = try await channel.declareExchange(stage.name("none"), type: type)
                            default:
                                _ = try await channel.declareQueue(exclusive: true).bind(to: stage.name("none"))
                            }
                        }
                    }
                )
            }
            return seen
        },
        Scenario("Exchanges that delete themselves; declared again otherwise; in use") { stage in
            try await stage.withChannel { connection, channel in
                let exchange = try await channel.declareExchange(stage.name("e"), autoDelete: true)
                _ = try await channel.declareExchange(exchange.name, autoDelete: true)
                let queue = try await channel.declareQueue(exclusive: true)
                let binding = try await queue.bind(to: exchange)
                var seen: [String] = []
                for attempt in 0..<3 {
                    let other = try await connection.openChannel()
                    seen.append(
                        await stage.outcome {
                            switch attempt {
                            case 0: _ = try await other.declareExchange(exchange.name, type: .topic, autoDelete: true)
                            case 1: _ = try await other.declareExchange(exchange.name)
                            default: try await other.exchange(exchange.name).delete(ifUnused: true)
                            }
                        }
                    )
                }
                try await binding.unbind()
                seen.append(await stage.outcome { _ = try await channel.declareExchange(exchange.name, passive: true) })
                return seen
            }
        },
    ]
}

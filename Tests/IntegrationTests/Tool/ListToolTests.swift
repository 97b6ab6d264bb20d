import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq lists by the management API", .needsTool, .timeLimit(.minutes(4)))
struct ListToolTests {
    /// What a web server says that has this.
    private static func answer(_ body: String, status: String = "200 OK") -> RudeListener.Manner {
        .says(Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }

    private static let queues =
        #"[{"name":"b\n\u001b","type":"quorum","state":"running","messages_ready":3,"messages_unacknowledged":1,"consumers":2},"#
        + #"{"name":"a","type":"classic","state":"running"}]"#

    @Test("queues, by their names, and says who told")
    func queues() async throws {
        try await RudeListener.run(Self.answer(Self.queues)) { listener in
            let place = "http://127.0.0.1:\(listener.port)"
            let arguments = ["queue", "list", "--uri", "amqp://me:secret-word@127.0.0.1:1"]
            let lines = try await ToolProcess.run(arguments + ["--management", place + "/"])
            #expect(lines.status == 0, "\(lines)")
            #expect(lines.output == "-\t-\t-\tclassic\trunning\ta\n3\t1\t2\tquorum\trunning\tb\\n\\u{1B}\n", "\(lines)")
            #expect(lines.error == "as the management API at \(place) says\n", "\(lines)")
            let json = try await ToolProcess.run(
                arguments + ["--json"],
                environment: ["RABBITMQ_MANAGEMENT_URI": "http://other:secret-word@127.0.0.1:\(listener.port)/api"]
            )
            #expect(json.output.hasPrefix(#"{"name":"a","state":"running","type":"classic"}"#), "\(json)")
            #expect(!json.error.contains("secret-word"), "\(json)")
        }
    }

    @Test("bindings, with their arguments, where a profile says")
    func bindings() async throws {
        let body =
            #"[{"source":"x","destination":"q","destination_type":"queue","routing_key":"k","#
            + #""arguments":{"x-match":"any","aName":7}},"#
            + #"{"source":"","destination":"q","destination_type":"queue","routing_key":"q","arguments":[]}]"#
        try await RudeListener.run(Self.answer(body)) { listener in
            let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
            defer { try? FileManager.default.removeItem(atPath: file) }
            let text = "[here]\nuri = amqp://localhost\nmanagement = http://127.0.0.1:\(listener.port)\n"
            let isMade = FileManager.default.createFile(
                atPath: file,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: 0o600]
            )
            #expect(isMade)
            let arguments = ["binding", "list", "--profile", "here"]
            let lines = try await ToolProcess.run(arguments, environment: ["RMQ_PROFILES": file])
            #expect(
                lines.output == "(default)\tqueue\tq\tq\nx\tqueue\tq\tk\taName=7\tx-match=any\n",
                "\(lines)"
            )
            let json = try await ToolProcess.run(arguments + ["--json"], environment: ["RMQ_PROFILES": file])
            #expect(json.output.contains(#""arguments":{"aName":7,"x-match":"any"}"#), "\(json)")
            #expect(json.output.contains(#""arguments":{},"#), "\(json)")
        }
    }

    @Test("nothing, and says why, where no such API answers")
    func failures() async throws {
        let endless = String(repeating: "x", count: 70_000)
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let manners: [(RudeListener.Manner, String)] = [
            (Self.answer("{}", status: "401 Unauthorized"), "refuses the user me"),
            // Who follows it to the letter must not lose the tag administrator.
            (Self.answer("{}", status: "403 Forbidden"), "in place of those that there are"),
            (Self.answer("{}", status: "404 Not Found"), "has no /api/exchanges/%2F"),
            (Self.answer("{}"), "does not answer as RabbitMQ's management plugin"),
            (.says(Array("220 mail.example ESMTP\r\n\r\n".utf8)), "no web server answers"),
            (.says(Array(("HTTP/1.1 200 OK\r\n" + endless).utf8)), "no web server answers"),
            (.says(Array((chunked + "2\r\n[]\r\n0\r\n\r\n").utf8)), "the answer has a transfer coding"),
            (.closes, "the connection ended before the answer"), (.refuses, "Connection refused"),
            (.refuses, "rabbitmq-plugins enable rabbitmq_management"),
        ]
        for (manner, text) in manners {
            try await RudeListener.run(manner) { listener in
                let outcome = try await ToolProcess.run([
                    "exchange", "list", "--management", "http://me:secret-word@127.0.0.1:\(listener.port)",
                ])
                #expect(outcome.hasExited && outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
                #expect(outcome.error.contains(text), "\(outcome)")
                #expect(!outcome.error.contains("secret-word"), "\(outcome)")
            }
        }
    }

    @Test("nothing without an address, nor by one to which the password would go as it is")
    func refusals() async throws {
        let amqps = ["--uri", "amqps://me:secret-word@rabbit.example"]
        for (arguments, text) in [
            (["queue", "list"], "--management"), (["connection", "list", "--management", "localhost"], "is no URL"),
            (["queue", "list", "--management", "http://rabbit.example:15672"] + amqps, "Use https"),
        ] {
            let outcome = try await ToolProcess.run(arguments, environment: ["RABBITMQ_MANAGEMENT_URI": ""])
            #expect(outcome.hasExited && outcome.status == 64, "\(outcome)")
            #expect(outcome.error.contains(text) && !outcome.error.contains("secret-word"), "\(outcome)")
        }
    }

    @Test("nothing where the password of one broker would go to another's host")
    func otherHost() async throws {
        try await RudeListener.run(Self.answer(Self.queues)) { listener in
            let place = "127.0.0.1:\(listener.port)"
            func list(_ uri: String, _ variable: String, _ more: [String] = []) async throws -> ToolProcess.Outcome {
                try await ToolProcess.run(
                    ["queue", "list", "--uri", uri] + more,
                    environment: ["RABBITMQ_MANAGEMENT_URI": variable]
                )
            }
            let other = "amqp://me:secret-word@rabbit.example"
            let refused = try await list(other, "http://\(place)")
            #expect(refused.hasExited && refused.status == 64, "\(refused)")
            #expect(refused.error.contains("names another host than --uri"), "\(refused)")
            #expect(!refused.error.contains("secret-word"), "\(refused)")
            // Both variables may have been set by somebody else.
            let both = try await ToolProcess.run(
                ["queue", "list"],
                environment: ["RABBITMQ_URI": other, "RABBITMQ_MANAGEMENT_URI": "http://\(place)"]
            )
            #expect(both.hasExited && both.status == 64, "\(both)")
            #expect(both.error.contains("names another host than RABBITMQ_URI"), "\(both)")
            #expect(!both.error.contains("secret-word"), "\(both)")
            // One that names its own, one that is said for this broker, and the same host by another name.
            let named = try await list(other, "http://other:word@\(place)")
            #expect(named.status == 0, "\(named)")
            let given = try await list(other, "", ["--management", "http://\(place)"])
            #expect(given.status == 0, "\(given)")
            let same = try await list("amqp://me:secret-word@localhost", "http://\(place)")
            #expect(same.status == 0, "\(same)")
        }
    }

    @Test("what RabbitMQ's own management plugin knows", .needsBrokerScript)
    func plugin() async throws {
        let free = try RudeListener(.refuses)
        let port = free.port
        free.stop()
        let broker = try OwnBroker(.management)
        let settings = "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = \(port)\n"
        try await broker.run(plugins: ["rabbitmq_management"], settings: settings) {
            var configuration = try await broker.configuration
            configuration.connectionName = "the tests' own"
            let uri = "amqp://127.0.0.1:\(configuration.port)"
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue("listed", arguments: QueueArguments(type: .quorum))
                let exchange = try await channel.declareExchange("listed.exchange", type: .headers)
                try await queue.bind(to: exchange, routingKey: "k", arguments: BindingArguments.headers(.any, ["a": 1]))
                func list(_ what: String) async throws -> String {
                    let outcome = try await ToolProcess.run(
                        [what, "list", "--uri", uri, "--management", "http://127.0.0.1:\(port)"]
                    )
                    #expect(outcome.status == 0, "\(outcome)")
                    return outcome.output
                }
                #expect(try await list("queue").contains("\tlisted\n"))
                #expect(try await list("exchange").contains("headers\tdurable\tlisted.exchange\n"))
                #expect(
                    try await list("binding").contains("listed.exchange\tqueue\tlisted\tk\ta=1\tx-match=any\n")
                )
                // What counts and connects is told every five seconds.
                try await eventually("the connection") { try await list("connection").contains("the tests' own") }
                try await eventually("the count") { try await list("queue").hasPrefix("0\t0\t0\tquorum") }
                // What is to be settled is known of the channel, and shown of its connection.
                try await queue.publish(Message("taken"))
                try await eventually("the message") { try await queue.get() != nil }
                try await eventually("the connection's row") {
                    let outcome = try await ToolProcess.run([
                        "top", "--count", "1", "--json", "--connections", "5", "--uri", uri, "--management",
                        "http://127.0.0.1:\(port)",
                    ])
                    return outcome.output.contains(#""name":"the tests' own","published_rate":"#)
                        && outcome.output.contains(#""unacknowledged":1,"user":"guest""#)
                }
            }
        }
    }
}

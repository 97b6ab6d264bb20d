import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// The link is cut at every frame of a replay, before it is answered and behind the answer.
@Suite("A replay that is cut", .timeLimit(.minutes(2)))
struct ReplayCutTests {
    struct Cut: Sendable, CustomStringConvertible {
        let frame: Int
        let answers: Bool
        var description: String { "frame \(frame), \(answers ? "answered" : "unanswered")" }
    }

    /// As many frames as a replay has, with the messages that are published again.
    static let cuts = (1...30).flatMap { frame in [false, true].map { Cut(frame: frame, answers: $0) } }

    private static func script(_ change: (inout ScriptedBroker.Script) -> Void = { _ in }) -> ScriptedBroker.Script {
        var script = ScriptedBroker.Script()
        script.tune.version = "4.0.0"
        change(&script)
        return script
    }

    @Test(arguments: cuts) func `all is whole after the next one`(_ cut: Cut) async throws {
        let scripts = [
            Self.script { $0.confirms = false },
            Self.script {
                $0.cutAtFrame = cut.frame
                $0.answersLast = cut.answers
                $0.resets = cut.frame % 2 == 0
                $0.confirms = false
            },
            Self.script(), Self.script(),
        ]
        try await ScriptedBroker.run(scripts) { broker in
            var configuration = broker.configuration
            configuration.recovery.unconfirmed = .resend
            // A receipt is waited for through two outages: on a busy machine that may take long.
            configuration.callTimeout = .seconds(30)
            configuration.publishTimeout = .seconds(30)
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            try await channel.setQos(prefetchCount: 5)
            try await channel.selectConfirms()
            let exchange = try await channel.declareExchange(
                "e",
                arguments: ExchangeArguments(alternateExchange: "alt")
            )
            try await channel.declareExchange("alt", type: .fanout)
            let queue = try await channel.declareQueue("q")
            try await queue.bind(to: exchange, routingKey: "k")
            let named = try await channel.declareQueue(exclusive: true)
            try await named.bind(to: exchange, routingKey: "n")
            let deliveries = try await queue.consume()
            var messages = deliveries.makeAsyncIterator()
            let seen = Collected<IncomingMessage>()
            let plain = try await named.consume(.noAck) { seen.add($0) }
            let first = try broker.session
            try await first.deliver("before", tag: 1, consumer: deliveries.consumer.tag)
            let before = try #require(try await messages.next())
            var receipts: [PublishReceipt] = []
            for number in 1...3 {
                receipts.append(try await exchange.publish(Message("\(number)"), routingKey: "k"))
            }
            try await eventually("all are there") { first.published.count == 3 }
            first.cut()
            try await eventually("it is noticed") { before.isStale }
            // It waits, and comes behind them.
            receipts.append(try await exchange.publish(Message("4"), routingKey: "k"))
            for receipt in receipts {
                try await within(.seconds(40), "an outcome") { try await receipt.confirmed() }
            }
            // The second one confirms nothing: what is confirmed came by the third, however late the cut was.
            try await eventually("it is up") { broker.sessions.count == 3 && connection.state == .up }
            let last = try broker.session
            try before.ack()
            try await eventually("both consume") { last.consumers.count == 2 }
            #expect(last.consumers.map(\.tag) == [deliveries.consumer.tag, plain.tag])
            #expect(last.consumers.map(\.queue) == ["q", named.name])
            try await last.deliver("again", tag: 1, consumer: deliveries.consumer.tag)
            try await last.deliver("plain", tag: 2, consumer: plain.tag)
            let again = try #require(try await messages.next())
            #expect(again.message.body == Array("again".utf8))
            try again.ack()
            try await eventually("it is settled") { !last.settled.isEmpty }
            try await eventually("it came") { seen.count == 1 }
            #expect(last.settled == [.init(channel: UInt16(channel.number), method: .basicAck, tag: 1)])
            // In order, on each connection, and each at least once where it was confirmed.
            for session in broker.sessions {
                let texts = session.published.map(\.text)
                #expect(texts == texts.sorted(), "\(texts)")
                #expect(Set(texts).count == texts.count)
                if session !== last { #expect(session.settled.isEmpty) }
            }
            #expect(channel.unconfirmedCount == 0)
            #expect(broker.sessions.count == 3)
            await connection.close()
            #expect(channel.closeReason != nil)
            try await within(.seconds(30), "its end") { _ = try? await plain.ended }
        }
    }
}

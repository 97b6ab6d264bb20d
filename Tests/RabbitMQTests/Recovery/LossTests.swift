import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A connection that is lost", .timeLimit(.minutes(1)))
struct LossTests {
    private func slow(_ configuration: inout ConnectionConfiguration) {
        configuration.recovery.firstDelay = .seconds(100)
    }

    private func lose(_ client: ScriptedClient, byClosing: Bool = false) async throws {
        let session = try client.broker.session
        if byClosing { try await session.close() } else { session.cut() }
        try await eventually("it is noticed") {
            client.connection.state == .recovering && client.channel.core.isWaiting
        }
    }

    // MARK: While it is down

    @Test(arguments: [false, true]) func `with .fail, publishes and calls throw at once`(isClosed: Bool) async throws {
        try await ScriptedClient.run(
            [],
            {
                slow(&$0)
                $0.recovery.whileDown = .fail
            }
        ) { client in
            try await lose(client, byClosing: isClosed)
            let start = ContinuousClock.now
            for attempt in [
                { @Sendable in _ = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k") },
                { @Sendable in _ = try await client.channel.declareQueue("q") },
                { @Sendable in _ = try await client.connection.openChannel() },
            ] {
                let error = try await thrownError { try await attempt() }
                #expect(error.code == .connectionLost)
            }
            #expect(ContinuousClock.now - start < .seconds(2))
        }
    }

    @Test func `while a call waits, tries follow each other sooner than by the longest delay`() async throws {
        try await ScriptedClient.run(
            [],
            {
                $0.publishTimeout = .milliseconds(240)
                $0.recovery.maxDelay = .seconds(1000)
            }
        ) { client in
            // Doubled each time, the last of the delays would be half a minute, and the call waits for ten seconds.
            client.broker.follow(Array(repeating: ScriptedClient.script { $0.cutAtFrame = 4 }, count: 14))
            try client.broker.session.cut()
            // A call on its way would be lost with the connection.
            try await eventually("the loss is noticed") { client.connection.state != .up }
            _ = try await client.channel.declareQueue("q")
            #expect(client.broker.sessions.count >= 16)
        }
    }

    @Test func `what waits for a connection waits no longer than it may`() async throws {
        try await ScriptedClient.run(
            [],
            {
                slow(&$0)
                $0.callTimeout = .milliseconds(100)
                $0.publishTimeout = .milliseconds(100)
            }
        ) { client in
            try await lose(client)
            let publish = try await thrownError {
                try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k")
            }
            #expect(publish.code == .blockedTooLong)
            let call = try await thrownError { try await client.channel.declareQueue("q") }
            #expect(call.code == .timedOut)
            let opening = try await thrownError { try await client.connection.openChannel() }
            #expect(opening.code == .timedOut)
            #expect(client.channel.core.state.withLock { $0.waiters.isEmpty })
            #expect(client.connection.core.state.withLock { $0.waiters.isEmpty })
        }
    }

    @Test func `a task that is cancelled while it waits leaves nobody behind`() async throws {
        try await ScriptedClient.run([], { slow(&$0) }) { client in
            try await lose(client)
            let waiting = [
                Task { _ = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k") },
                Task { _ = try await client.channel.declareQueue("q") },
                Task { _ = try await client.connection.openChannel() },
            ]
            try await eventually("they wait") {
                client.channel.core.state.withLock { $0.waiters.count } == 2
                    && client.connection.core.state.withLock { $0.waiters.count } == 1
            }
            for task in waiting {
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            #expect(client.channel.core.state.withLock { $0.waiters.isEmpty })
            #expect(client.connection.core.state.withLock { $0.waiters.isEmpty })
        }
    }

    @Test func `a connection that was blocked is not when it is there again`() async throws {
        try await ScriptedClient.run { client in
            let events = Collected<String>()
            let stream = client.connection.events
            let listening = Task {
                for await event in stream { events.add("\(event)".prefix { $0 != "(" }.description) }
            }
            defer { listening.cancel() }
            try await client.broker.session.peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
            try await eventually("it is blocked") { client.connection.blockedReason == "memory" }
            #expect(!client.connection.health.isHealthy)
            let publishing = Task { try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k") }
            try await eventually("it waits") {
                client.connection.core.base.outbox.state.withLock { !$0.heldBack.isEmpty }
            }
            try client.broker.session.cut()
            _ = try await within(.seconds(10), "the publish") { try await publishing.value }
            #expect(client.connection.blockedReason == nil)
            try await eventually("all is told") { events.count >= 5 }
            #expect(events.all.filter { $0 != "trying" } == ["blocked", "unblocked", "lost", "recovered"])
            try await eventually("it came") { try client.broker.session.published.map(\.text) == ["x"] }
        }
    }

    @Test
    func `without .resend what was not confirmed has an unknown outcome, and with it nothing is sent twice that was`()
        async throws
    {
        let silent = ScriptedClient.script { $0.confirms = false }
        try await ScriptedClient.run([silent]) { client in
            try await client.channel.selectConfirms()
            let receipts = [
                try await client.channel.defaultExchange.publish(Message("1"), routingKey: "k"),
                try await client.channel.defaultExchange.publish(Message("2"), routingKey: "k"),
            ]
            let session = try client.broker.session
            try await eventually("they are there") { session.published.count == 2 }
            session.cut()
            for receipt in receipts {
                let error = try await thrownError { try await receipt.confirmed() }
                #expect(error.code == .outcomeUnknown)
            }
            try await client.waitForSession(2)
            #expect(try client.broker.session.published.isEmpty)
        }
        try await ScriptedClient.run([silent, silent], { $0.recovery.unconfirmed = .resend }) { client in
            try await client.channel.selectConfirms()
            let session = try client.broker.session
            let first = try await client.channel.defaultExchange.publish(Message("1"), routingKey: "k")
            try await eventually("it is there") { session.published.count == 1 }
            try await session.confirmAll()
            try await first.confirmed()
            let second = try await client.channel.defaultExchange.publish(Message("2"), routingKey: "k")
            try await eventually("it is there") { session.published.count == 2 }
            session.cut()
            try await client.waitForSession(2)
            let third = try await client.channel.defaultExchange.publish(Message("3"), routingKey: "k")
            let again = try client.broker.session
            try await eventually("they are there") { again.published.map(\.text) == ["2", "3"] }
            let waiting = Task { try await client.channel.waitForConfirms() }
            try await again.confirmAll()
            try await waiting.value
            try await second.confirmed()
            try await third.confirmed()
        }
    }

    @Test func `what fits into no frame any more is not reported as sent again`() async throws {
        let silent = ScriptedClient.script { $0.confirms = false }
        let narrow = ScriptedClient.script { $0.tune.frameMax = 4096 }
        try await ScriptedClient.run([silent, narrow], { $0.recovery.unconfirmed = .resend }) { client in
            try await client.channel.selectConfirms()
            let headers: FieldTable = ["x-note": .string(String(repeating: "n", count: 5000))]
            let exchange = client.channel.defaultExchange
            let large = try await exchange.publish(Message(body: [1], headers: headers), routingKey: "k")
            let small = try await exchange.publish(Message("2"), routingKey: "k")
            let session = try client.broker.session
            try await eventually("they are there") { session.published.count == 2 }
            let events = client.connection.events
            session.cut()
            let resent = try await within(.seconds(10), "the report") {
                for await event in events {
                    if case .recovered(let report, _) = event { return report.resent }
                }
                return -1
            }
            #expect(resent == 1)
            try await small.confirmed()
            #expect(try await thrownError { try await large.confirmed() }.code == .outcomeUnknown)
        }
    }

    // MARK: The end

    @Test func `closing while it is down ends all at once`() async throws {
        try await ScriptedClient.run([], { slow(&$0) }) { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            try await lose(client)
            let waiting = [
                Task { _ = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k") },
                Task { _ = try await client.channel.declareQueue("q") },
                Task { _ = try await client.connection.openChannel() },
                Task { for try await _ in deliveries {} },
            ]
            try await eventually("they wait") { client.channel.core.state.withLock { $0.waiters.count } == 2 }
            let start = ContinuousClock.now
            await client.connection.close()
            for task in waiting {
                let error = try await thrownError { try await task.value }
                #expect(error.code == .connectionClosed)
            }
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(client.connection.state == .closed && client.channel.closeReason != nil)
        }
    }

    @Test(arguments: [false, true]) func `handles that are dropped stop recovery, and everything is freed`(isDown: Bool)
        async throws
    {
        try await ScriptedBroker.run { broker in
            weak var core: ConnectionCore?
            weak var channelCore: ChannelCore?
            weak var session: ChannelSession?
            weak var consumer: Consumer?
            weak var port: PublishingPort?
            weak var lease: ChannelLease?
            weak var link: Link?
            do {
                var configuration = broker.configuration
                // A random part of it: so long that hardly any is over before the handles are gone.
                if isDown { configuration.recovery.firstDelay = .seconds(6) }
                let connection = try await Connection.connect(configuration)
                let channel = try await connection.openChannel()
                try await channel.selectConfirms()
                let deliveries = try await channel.declareQueue("q").consume()
                var messages = deliveries.makeAsyncIterator()
                let first = try broker.session
                try await first.deliver("x", tag: 1, consumer: deliveries.consumer.tag)
                _ = try await messages.next()
                try await channel.defaultExchange.publish(Message("x"), routingKey: "k").confirmed()
                link = connection.core.link
                first.cut()
                if isDown {
                    try await eventually("it is noticed") { connection.state == .recovering }
                } else {
                    try await eventually("it is there") { broker.sessions.count == 2 && connection.state == .up }
                    try await channel.defaultExchange.publish(Message("x"), routingKey: "k").confirmed()
                }
                (core, channelCore, session) = (connection.core, channel.core, channel.core.session)
                (consumer, port, lease) = (deliveries.consumer, channel.core.port, channel.lease)
            }
            try await eventually("all is freed") {
                core == nil && channelCore == nil && session == nil && consumer == nil && port == nil && lease == nil
                    && link == nil
            }
            if isDown { #expect(broker.sessions.count == 1) }
        }
    }

    @Test func `a link that ends before anybody has taken it over is lost like others`() async throws {
        let base = LinkBase(ConnectionConfiguration())
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        let overSocket = peer.configuration
        let opening = Task {
            try await Link.open(
                Link(configuration: overSocket, base: base),
                wishes: Handshake.Wishes(
                    mechanism: "PLAIN",
                    response: [],
                    virtualHost: "/",
                    channelMax: 10,
                    frameMax: 131_072,
                    heartbeat: 0,
                    clientProperties: [:]
                )
            )
        }
        try await peer.handshake()
        let (link, parameters) = try await opening.value
        peer.hangUp()
        _ = try await within(.seconds(5), "its end") { try await link.ended.wait() }
        var configuration = ConnectionConfiguration(host: "127.0.0.1", port: 1)
        configuration.recovery.firstDelay = .seconds(100)
        let core = ConnectionCore(OpenedLink(link: link, parameters: parameters, endpoint: 0), configuration, base)
        await core.noteEarlyEnd(of: link)
        #expect(core.health.state == .recovering)
        core.release()
    }
}

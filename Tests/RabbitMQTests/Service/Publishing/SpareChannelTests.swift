import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A publisher's message that the broker refuses again and again", .timeLimit(.minutes(1)))
struct SpareChannelTests {
    @Test func `goes over another channel, which is used as long as it takes what its own one does not`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.nackedAgain = 10
            let publisher = try await client.connection.openPublisher(options)
            let (session, own) = (try client.broker.session, UInt16(publisher.channel.number))
            async let first: Void = publisher.publish(Message(body: [1]), routingKey: "q")
            for number in 1...SpareChannel.refusalsUntilUse {
                #expect(try await session.answer(number, with: .basicNack) == own)
            }
            var number = SpareChannel.refusalsUntilUse + 1
            let aside = try await session.answer(number, with: .basicAck)
            #expect(aside != own)
            try await first
            // The next one is refused once, and goes there at once.
            async let second: Void = publisher.publish(Message(body: [2]), routingKey: "q")
            #expect(try await session.answer(number + 1, with: .basicNack) == own)
            #expect(try await session.answer(number + 2, with: .basicAck) == aside)
            try await second
            // What is refused there, too, goes the usual way again.
            async let third: Void = publisher.publish(Message(body: [3]), routingKey: "q")
            #expect(try await session.answer(number + 3, with: .basicNack) == own)
            #expect(try await session.answer(number + 4, with: .basicNack) == aside)
            #expect(try await session.answer(number + 5, with: .basicAck) == own)
            try await third
            number += 5
            try await eventually("the other channel is closed") { session.methods.contains(.channelClose) }
            #expect(publisher.unconfirmedCount == 0 && session.published.count == number)
            #expect(await publisher.close())
        }
    }

    @Test func `is not published once more when there is no time left to hear of it`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.nackedAgain = 1000
            options.timeout = .seconds(2)
            let publisher = try await client.connection.openPublisher(options)
            let session = try client.broker.session
            let refusing = Task {
                var number = 1
                while !Task.isCancelled {
                    _ = try await session.answer(number, with: .basicNack)
                    number += 1
                }
            }
            // It is in nobody's doubt: each time the broker has said no, and in the last pause the time was over.
            let error = await #expect(throws: AMQPError.self) {
                try await publisher.publish(Message(body: [1]), routingKey: "q")
            }
            // Unless it was over just while the broker's answer was on its way.
            #expect(error?.code == .nacked || error?.message.contains("within 0.0 seconds") == false, "\(error as Any)")
            refusing.cancel()
            #expect(Set(session.published.map(\.channel)).count > 1)
        }
    }

    @Test func `is not published once more when opening the other channel has taken all the time`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.nackedAgain = 10
            // The refusals take less than 1 s of it.
            options.timeout = .seconds(8)
            let publisher = try await client.connection.openPublisher(options)
            let session = try client.broker.session
            session.refuse(.init(.channelOpen, code: 0))
            let publishing = Task { try await publisher.publish(Message(body: [1]), routingKey: "q") }
            for number in 1...SpareChannel.refusalsUntilUse {
                _ = try await session.answer(number, with: .basicNack)
            }
            let error = try await thrownError { try await publishing.value }
            #expect(error.code == .nacked)
            // What was sent before has come when the channel is closed.
            await publisher.close()
            #expect(session.published.count == SpareChannel.refusalsUntilUse)
        }
    }

    @Test func `of several is not published once more when the time is over in the pause`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            let publisher = try await client.connection.openPublisher()
            // The pause is 25 ms at least. As many messages at once publish what was refused.
            let error = try await thrownError {
                try await publisher.publish(
                    Message(body: [1]),
                    "",
                    "q",
                    true,
                    within: .milliseconds(20),
                    after: AMQPError(.nacked, "the broker refused the message")
                )
            }
            #expect(error.code == .nacked)
            await publisher.close()
            let session = try client.broker.session
            #expect(session.published.isEmpty)
        }
    }

    @Test func `does not go over another channel once the publisher is closed`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            let publisher = try await client.connection.openPublisher()
            let session = try client.broker.session
            let publish = Publish(message: Message(body: [1]), exchange: "", routingKey: "q", mandatory: true)
            @Sendable func isHandedOver() async throws -> Bool {
                let other = try await publisher.spare.handOver(
                    publish,
                    refusals: SpareChannel.refusalsUntilUse,
                    within: .seconds(10)
                )
                return other != nil
            }
            session.refuse(.init(.channelOpen, code: 0))
            let before = session.frames.count
            let opening = Task { try await isHandedOver() }
            try await eventually("the other channel is on its way") {
                session.frames.dropFirst(before).contains { $0.method == .channelOpen }
            }
            let frame = session.frames.last { $0.method == .channelOpen }
            let late = try #require(frame).channel
            await publisher.close()
            try await session.peer.send(.channelOpenOk, channel: late) { $0.longString("") }
            let wasOnItsWay = try await opening.value
            #expect(!wasOnItsWay)
            try await eventually("what came too late is closed") {
                session.frames.contains { $0.method == .channelClose && $0.channel == late }
            }
            let isAfterwards = try await isHandedOver()
            let opened = session.methods.filter { $0 == .channelOpen }
            #expect(!isAfterwards && session.published.isEmpty && opened.count == 3)
        }
    }

    @Test func `is waited for by a drain on the other channel too, also when its task was cancelled`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.nackedAgain = 10
            let publisher = try await client.connection.openPublisher(options)
            let session = try client.broker.session
            let publishing = Task { try await publisher.publish(Message(body: [1]), routingKey: "q") }
            for number in 1...SpareChannel.refusalsUntilUse {
                _ = try await session.answer(number, with: .basicNack)
            }
            let last = SpareChannel.refusalsUntilUse + 1
            try await eventually("it has come on the other channel") { session.published.count == last }
            publishing.cancel()
            _ = await publishing.result
            let error = try await thrownError { try await publisher.drain(within: .milliseconds(50)) }
            #expect(error.code == .timedOut && publisher.unconfirmedCount == 1)
            _ = try await session.answer(last, with: .basicAck)
            try await publisher.drain(within: .seconds(10))
            #expect(publisher.unconfirmedCount == 0)
        }
    }
}

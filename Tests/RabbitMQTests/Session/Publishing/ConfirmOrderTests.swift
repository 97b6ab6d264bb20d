import RabbitMQ
import TestSupport
import Testing

@Suite("Confirms in every order that a broker may choose", .timeLimit(.minutes(1)))
struct ConfirmOrderTests {
    private func withConfirms(
        limit: Int = 1000,
        _ body: (ScriptedPeer, Channel, Exchange) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let selected: Void = channel.selectConfirms(maxUnconfirmed: limit)
            try await peer.expect(PeerMethod(85, 10), channel: 1)
            try await peer.send(.confirmSelectOk)
            try await selected
            try await body(peer, channel, try await channel.declareExchange(""))
        }
    }

    private func message(_ text: String) -> Message {
        Message(body: Array(text.utf8), contentType: nil, timestamp: nil)
    }

    @Test("an ack that comes before the publisher waits is not lost")
    func early() async throws {
        try await withConfirms { peer, _, exchange in
            let receipt = try await exchange.publish(message("a"), routingKey: "k")
            _ = try await peer.expectPublish()
            try await peer.sendAck(1)
            try await eventually("the outcome is there") { receipt.outcome != nil }
            try await receipt.confirmed()
            try await receipt.confirmed()
        }
    }

    @Test("acks out of order and with multiple each settle what they mean")
    func outOfOrder() async throws {
        try await withConfirms { peer, channel, exchange in
            var receipts: [PublishReceipt] = []
            for text in ["a", "b", "c", "d"] {
                receipts.append(try await exchange.publish(message(text), routingKey: "k"))
                _ = try await peer.expectPublish()
            }
            try await peer.sendAck(3)
            try await receipts[2].confirmed()
            #expect(receipts[0].outcome == nil && receipts[1].outcome == nil && receipts[3].outcome == nil)
            try await peer.sendAck(2, multiple: true)
            try await receipts[0].confirmed()
            try await receipts[1].confirmed()
            #expect(channel.unconfirmedCount == 1)
            try await peer.sendAck(4)
            try await channel.waitForConfirms()
        }
    }

    @Test("a return before its ack makes that message undeliverable, though one ack is for several")
    func returned() async throws {
        try await withConfirms { peer, _, exchange in
            var receipts: [PublishReceipt] = []
            var published: [ScriptedPeer.Published] = []
            for text in ["a", "b", "c"] {
                receipts.append(try await exchange.publish(message(text), routingKey: "k"))
                published.append(try await peer.expectPublish())
            }
            try await peer.sendReturn(of: published[1])
            try await peer.sendAck(3, multiple: true)
            try await receipts[0].confirmed()
            try await receipts[2].confirmed()
            let error = await #expect(throws: AMQPError.self) { try await receipts[1].confirmed() }
            #expect(error?.code == .undeliverable)
            #expect(error?.returned?.message == message("b"))
        }
    }

    @Test("a return whose properties the broker has changed makes the message undeliverable too")
    func returnedChanged() async throws {
        try await withConfirms { peer, _, exchange in
            var message = message("a")
            message.headers = ["BCC": .string("hidden"), "number": .double(0.1)]
            let receipt = try await exchange.publish(message, routingKey: "k")
            var published = try await peer.expectPublish()
            published.header = .header(channel: 1, bodySize: 1)
            try await peer.sendReturn(of: published)
            try await peer.sendAck(1)
            let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
            #expect(error?.code == .undeliverable)
        }
    }

    @Test("publishing several tells how far it went, also when it fails")
    func several() async throws {
        try await ScriptedPeer.withChannel(configure: { $0.maxMessageSize = 3 }) { peer, _, channel in
            let messages = ["a", "b", "too long", "c"].map(message)
            var receipts: [PublishReceipt] = []
            let error = await #expect(throws: AMQPError.self) {
                try await channel.defaultExchange.publish(contentsOf: messages, routingKey: "k", receipts: &receipts)
            }
            #expect(error?.code == .invalidMessage)
            #expect(receipts.count == 2)
            let first = try await peer.expectPublish()
            let second = try await peer.expectPublish()
            #expect([first.body, second.body] == [Array("a".utf8), Array("b".utf8)])
            #expect(peer.pendingFrames == [])
        }
    }

    @Test("a nack fails the messages it means, and no other")
    func nacked() async throws {
        try await withConfirms { peer, _, exchange in
            let first = try await exchange.publish(message("a"), routingKey: "k")
            let second = try await exchange.publish(message("b"), routingKey: "k")
            for _ in 0..<2 { _ = try await peer.expectPublish() }
            try await peer.send(.basicNack) {
                $0.longLong(1)
                $0.octet(0)
            }
            try await peer.sendAck(2)
            let error = await #expect(throws: AMQPError.self) { try await first.confirmed() }
            #expect(error?.code == .nacked)
            try await second.confirmed()
        }
    }

    @Test("a channel closed over one message: that fails with code and text, what became of the others is unknown")
    func closed() async throws {
        for mandatory in [true, false] {
            try await withConfirms { peer, channel, exchange in
                var receipts: [PublishReceipt] = []
                let gone = try channel.exchange("gone")
                for (text, exchange) in [("a", exchange), ("b", exchange), ("c", gone), ("d", gone), ("e", exchange)] {
                    receipts.append(try await exchange.publish(message(text), routingKey: "k", mandatory: mandatory))
                    _ = try await peer.expectPublish()
                }
                try await peer.sendAck(1)
                let text = "NOT_FOUND - no exchange 'gone' in vhost '/'"
                try await peer.sendClose(.channelClose, channel: 1, code: 404, text: text, cause: .basicPublish)
                try await peer.expect(.channelCloseOk, channel: 1)
                try await receipts[0].confirmed()
                let guilty = try await thrownError { [receipts] in try await receipts[2].confirmed() }
                #expect(guilty.code == .notFound)
                #expect(guilty.replyText == text)
                #expect(!guilty.isRetryable)
                for index in [1, 3, 4] {
                    let error = try await thrownError { [receipts] in try await receipts[index].confirmed() }
                    #expect(error.code == .outcomeUnknown)
                    #expect((error.underlying as? AMQPError)?.code == .notFound)
                    #expect(error.isRetryable)
                }
            }
        }
    }

    @Test("a channel closed over something else leaves the outcome of every message unknown")
    func closedOverAnother() async throws {
        try await withConfirms { peer, _, exchange in
            let receipt = try await exchange.publish(message("a"), routingKey: "k")
            _ = try await peer.expectPublish()
            try await peer.sendClose(
                .channelClose,
                channel: 1,
                code: 406,
                text: "inequivalent arg",
                cause: .queueDeclare
            )
            let error = try await thrownError { try await receipt.confirmed() }
            #expect(error.code == .outcomeUnknown)
            #expect((error.underlying as? AMQPError)?.code == .preconditionFailed)
            #expect(error.isRetryable)
        }
    }

    @Test("a lost connection leaves the outcome unknown, and says so")
    func lost() async throws {
        try await withConfirms { peer, _, exchange in
            let receipt = try await exchange.publish(message("a"), routingKey: "k")
            _ = try await peer.expectPublish()
            peer.hangUp()
            let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
            #expect(error?.code == .outcomeUnknown)
            #expect((error?.underlying as? AMQPError)?.code == .connectionLost)
        }
    }

    @Test("cancelling the wait removes the waiter, never the number")
    func cancelled() async throws {
        try await withConfirms { peer, channel, exchange in
            let receipt = try await exchange.publish(message("a"), routingKey: "k")
            _ = try await peer.expectPublish()
            let waiting = Task { try await receipt.confirmed() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            let next = try await exchange.publish(message("b"), routingKey: "k")
            _ = try await peer.expectPublish()
            try await peer.sendAck(2)
            try await next.confirmed()
            #expect(receipt.outcome == nil)
            try await peer.sendAck(1)
            try await receipt.confirmed()
            #expect(channel.unconfirmedCount == 0)
        }
    }

    @Test("no more are unconfirmed than may be: the next publish waits for a confirm")
    func bounded() async throws {
        try await withConfirms(limit: 2) { peer, channel, exchange in
            for text in ["a", "b"] { try await exchange.publish(message(text), routingKey: "k") }
            for _ in 0..<2 { _ = try await peer.expectPublish() }
            let third = Task { try await exchange.publish(message("c"), routingKey: "k").confirmed() }
            try await peer.sendAck(1)
            #expect(try await peer.expectPublish().body == Array("c".utf8))
            #expect(channel.unconfirmedCount == 2)
            try await peer.sendAck(3, multiple: true)
            try await third.value
        }
    }

    @Test("a publisher that waits for a place gives up in time, and leaves none taken")
    func tooLong() async throws {
        try await ScriptedPeer.withChannel(configure: { $0.publishTimeout = .milliseconds(50) }) { peer, _, channel in
            async let selected: Void = channel.selectConfirms(maxUnconfirmed: 1)
            try await peer.expect(PeerMethod(85, 10), channel: 1)
            try await peer.send(.confirmSelectOk)
            try await selected
            let exchange = try await channel.declareExchange("")
            let first = try await exchange.publish(message("a"), routingKey: "k")
            let error = await #expect(throws: AMQPError.self) {
                try await exchange.publish(message("b"), routingKey: "k")
            }
            #expect(error?.code == .blockedTooLong)
            _ = try await peer.expectPublish()
            try await peer.sendAck(1)
            try await first.confirmed()
            try await exchange.publish(message("c"), routingKey: "k")
            #expect(try await peer.expectPublish().body == Array("c".utf8))
        }
    }

    @Test("an absurd number from the broker settles nothing and harms nothing", arguments: [0, 7, UInt64.max])
    func absurd(number: UInt64) async throws {
        try await withConfirms { peer, _, exchange in
            let receipt = try await exchange.publish(message("a"), routingKey: "k")
            _ = try await peer.expectPublish()
            try await peer.sendAck(number)
            try await peer.sendAck(1)
            try await receipt.confirmed()
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("how consumers end", .timeLimit(.minutes(1)))
struct ConsumerEndTests {
    @Test func `a cancel by the server gets no reply, and ends the loop behind what was delivered`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            let call = Task { try await queue.purge() }
            try await peer.expect(.queuePurge)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
            try await peer.send(.basicCancel, channel: 1) {
                $0.shortString(tag)
                $0.octet(1)
            }
            try await peer.send(.queuePurgeOk, channel: 1) { $0.long(3) }
            #expect(try await call.value == 3)
            #expect(deliveries.consumer.cancelled)
            var iterator = deliveries.makeAsyncIterator()
            let message = try #require(try await iterator.next())
            try message.ack()
            do {
                _ = try await iterator.next()
                Issue.record("the loop goes on")
            } catch let error as AMQPError {
                #expect(error.code == .consumerCancelled)
            }
            try await peer.expect(.basicAck)
            // Nothing else but the next call.
            async let qos: Void = channel.setQos(prefetchCount: 1)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk, channel: 1)
            try await qos
            // Cancelling it now sends nothing.
            try await deliveries.consumer.cancel()
            #expect(peer.pendingFrames == [])
        }
    }

    @Test(arguments: [("3.10.8", false), ("4.2.0", false), ("4.3.6", true)])
    func `a cancel by the server says what it may be`(version: String, mayBeTimeout: Bool) async throws {
        try await ScriptedPeer.withChannel(tune: ScriptedPeer.Tune(version: version)) { peer, _, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            try await peer.send(.basicCancel, channel: 1) {
                $0.shortString(deliveries.consumer.tag)
                $0.octet(1)
            }
            let error = try await thrownError { for try await _ in deliveries {} }
            #expect(error.code == .consumerCancelled && error.isRecoverable)
            #expect(error.message.contains("deleted") && error.message.contains("node is down"))
            #expect(error.message.contains("consumer timeout") == mayBeTimeout)
        }
    }

    @Test func `a cancel that is answered twice harms nothing; one that was not asked for does`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            let tag = deliveries.consumer.tag
            async let cancelling: Void = deliveries.consumer.cancel()
            try await peer.expect(.basicCancel)
            for _ in 0..<2 { try await peer.send(.basicCancelOk) { $0.shortString(tag) } }
            try await cancelling
            try await peer.roundTrip(on: channel)
            #expect(connection.closeReason == nil)
            try await peer.send(.basicCancelOk) { $0.shortString("stranger") }
            #expect(try await connection.closed.error.code == .protocolViolation)
        }
    }

    @Test func `messages without acknowledgement that come before cancel-ok are still seen`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            for _ in 0..<10 {
                let deliveries = try await peer.consume(queue, noAck: true)
                let tag = deliveries.consumer.tag
                let cancelling = Task { try await deliveries.consumer.cancel() }
                try await peer.expect(.basicCancel)
                var frames = (1...20).flatMap { PeerFrame.delivery([UInt8($0)], tag: $0, consumer: tag) }
                frames.append(.method(.basicCancelOk, channel: 1) { $0.shortString(tag) })
                // What is read at once goes on for a while: the caller is back before the queue is through with it.
                frames += [PeerFrame](repeating: .heartbeat, count: 5000)
                try await peer.send(frames)
                try await cancelling.value
                var seen: [UInt8] = []
                for try await message in deliveries { seen += message.body }
                #expect(seen == Array(1...20))
            }
        }
    }

    @Test func `what a consumer leaves behind does not hold up reading`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 64 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            func consumeAndCancel() async throws {
                let deliveries = try await peer.consume(queue, noAck: true)
                let tag = deliveries.consumer.tag
                let body = [UInt8](repeating: 7, count: 16 * 1024)
                try await peer.send((1...10).flatMap { PeerFrame.delivery(body, tag: $0, consumer: tag) })
                try await eventually("reading pauses") { await connection.link.reading.isPaused }
                let cancelling = Task { try await deliveries.consumer.cancel() }
                try await peer.expect(.basicCancel)
                try await peer.send(.basicCancelOk, channel: 1) { $0.shortString(tag) }
                try await cancelling.value
            }
            try await consumeAndCancel()
            try await eventually("reading goes on") { await !connection.link.reading.isPaused }
            try await peer.send(.heartbeat)
            try await peer.waitUntilRead()
        }
    }

    @Test func `what is left of a consumer that the server cancelled goes back, and is counted out`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            func consume() async throws {
                let deliveries = try await peer.consume(queue)
                let tag = deliveries.consumer.tag
                try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
                for try await message in deliveries {
                    try message.ack()
                    var frames = (2...3).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) }
                    frames.append(
                        .method(.basicCancel, channel: 1) {
                            $0.shortString(tag)
                            $0.octet(1)
                        }
                    )
                    try await peer.send(frames)
                    try await eventually("the cancel") { deliveries.consumer.cancelled }
                    break
                }
            }
            try await consume()
            let settled = try await peer.settlements(of: 1...3)
            #expect(settled.acknowledged == [1] && settled.returned == [2, 3])
            #expect(connection.link.gauge.waitingBytes == 0)
        }
    }

    @Test func `leaving the loop cancels, and gives back what was not taken`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            func takeOne() async throws -> String {
                let deliveries = try await peer.consume(queue)
                let tag = deliveries.consumer.tag
                try await peer.send((1...5).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
                for try await message in deliveries {
                    try message.ack()
                    break
                }
                return tag
            }
            let tag = try await takeOne()
            let settled = try await peer.settlements(of: 1...5)
            #expect(settled.cancelled == [tag])
            #expect(settled.acknowledged == [1] && settled.returned == [2, 3, 4, 5])
            // What comes before the broker knows goes back too.
            try await peer.send(PeerFrame.delivery([1], tag: 6, consumer: tag))
            #expect(try await peer.settlements(of: 6...6).returned == [6])
            try await peer.send(.basicCancelOk, channel: 1) { $0.shortString(tag) }
        }
    }

    @Test func `the channel's end ends the loop with its reason`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consuming = Task { for try await _ in deliveries {} }
            try await peer.sendClose(.channelClose, channel: 1, code: 406, text: "unknown delivery tag 9")
            try await peer.expect(.channelCloseOk)
            let error = try await thrownError { try await consuming.value }
            #expect(error.code == .preconditionFailed)
            #expect(error.replyText == "unknown delivery tag 9")
        }
    }

    @Test func `the connection's end ends the loop with its reason, messages without acknowledgement first`()
        async throws
    {
        let peer = try ScriptedPeer()
        let connection = try await peer.connect()
        let channel = try await peer.openChannel(on: connection)
        let queue = try await peer.declareQueue(on: channel)
        let deliveries = try await peer.consume(queue, noAck: true)
        let tag = deliveries.consumer.tag
        try await peer.send((1...3).flatMap { PeerFrame.delivery([UInt8($0)], tag: $0, consumer: tag) })
        peer.hangUp()
        _ = try await within(.seconds(10), "the end") { try await connection.closed }
        var seen: [UInt8] = []
        do {
            for try await message in deliveries { seen += message.body }
            Issue.record("the loop ended without an error")
        } catch let error as AMQPError {
            #expect(error.code == .connectionLost)
        }
        #expect(seen == [1, 2, 3])
    }

    @Test func `a cancel that is not answered ends in time, and so does the loop`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.callTimeout = .seconds(3)
        } _: { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consuming = Task { for try await _ in deliveries {} }
            let error = try await thrownError { try await deliveries.consumer.cancel() }
            #expect(error.code == .timedOut)
            try await within(.seconds(10), "the loop's end") { try await consuming.value }
        }
    }

    @Test func `a task that is cancelled ends its loop and its consumer`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consuming = Task { for try await _ in deliveries {} }
            consuming.cancel()
            try await peer.expect(.basicCancel)
            let result = try await within(.seconds(10), "the loop's end") { await consuming.result }
            #expect(throws: CancellationError.self) { try result.get() }
        }
    }
}

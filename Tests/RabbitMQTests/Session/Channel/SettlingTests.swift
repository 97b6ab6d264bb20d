import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("settling deliveries", .timeLimit(.minutes(1)))
struct SettlingTests {
    /// Lends `count` messages of a consumer.
    private func withMessages(
        _ count: UInt64,
        sendBuffer: Int32? = nil,
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedPeer, Channel, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(sendBuffer: sendBuffer, configure: configure) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...count).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            while messages.count < count { messages.append(try #require(try await iterator.next())) }
            try await body(peer, channel, messages)
            withExtendedLifetime(iterator) {}
        }
    }

    /// Makes the peer know that everything before has been sent.
    private func settled(_ peer: ScriptedPeer, _ channel: Channel) async throws -> [PeerFrame] {
        let qos = Task { try await channel.setQos() }
        var frames: [PeerFrame] = []
        while true {
            let frame = try await peer.next()
            if frame.method == .basicQos { break }
            frames.append(frame)
        }
        try await peer.send(.basicQosOk)
        try await qos.value
        return frames
    }

    /// What acks say, by tag.
    private func acknowledged(_ frames: [PeerFrame]) -> [UInt64] {
        var tags: [UInt64] = []
        var highest: UInt64 = 0
        for frame in frames {
            #expect(frame.method == .basicAck)
            var fields = frame.fields
            let tag = fields.longLong()
            if fields.octet() == 1 {
                tags += (highest + 1...tag).filter { !tags.contains($0) }
                highest = tag
            } else {
                tags.append(tag)
            }
        }
        return tags
    }

    @Test func `100 acknowledgements of one flush are one, which covers exactly them`() async throws {
        try await withMessages(120) { peer, channel, messages in
            // The queue is busy meanwhile, so that all of them are in its next flush.
            let gate = DispatchSemaphore(value: 0)
            await withCheckedContinuation { busy in
                channel.connection.link.onQueue { _ in
                    // What it does before would take some of them.
                    busy.resume()
                    gate.wait()
                }
            }
            for message in messages.prefix(100) { try message.ack() }
            gate.signal()
            let frames = try await settled(peer, channel)
            #expect(frames.count == 1)
            #expect(acknowledged(frames) == Array(1...100))
        }
    }

    @Test func `out of order, from many tasks, each is told once`() async throws {
        try await withMessages(200) { peer, channel, messages in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<8 {
                    group.addTask {
                        for message in messages.reversed() where message.deliveryTag % 8 == part { try message.ack() }
                    }
                }
                try await group.waitForAll()
            }
            let tags = acknowledged(try await settled(peer, channel))
            #expect(tags.sorted() == Array(1...200))
        }
    }

    @Test func `a nack goes out behind the acknowledgements before it`() async throws {
        try await withMessages(6) { peer, channel, messages in
            try messages[0].ack()
            try messages[1].ack()
            try messages[4].nack(requeue: false, multiple: true)
            try messages[5].reject()
            let frames = try await settled(peer, channel)
            var nack = frames[frames.count - 2]
            #expect(nack.method == .basicNack)
            var fields = nack.fields
            #expect(fields.longLong() == 5)
            #expect(fields.octet() == 0b01)
            nack = frames[frames.count - 1]
            #expect(nack.method == .basicReject)
            #expect(acknowledged(Array(frames.dropLast(2))).sorted() == [1, 2])
        }
    }

    @Test func `acknowledgements go out before the call behind them`() async throws {
        try await withMessages(3) { peer, channel, messages in
            for message in messages {
                try message.ack()
                let frames = try await settled(peer, channel)
                #expect(acknowledged(frames) == [message.deliveryTag])
            }
        }
    }

    @Test(arguments: [0, 4] as [UInt16])
    func `while one waits for more, what others acknowledge is told, the last too`(limit: UInt16) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let limited: Void = channel.setQos(prefetchCount: limit)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await limited
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...4).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            let taken = Mutex<[IncomingMessage]>([])
            let waiting = Task {
                for try await message in deliveries { taken.withLock { $0.append(message) } }
            }
            let source = deliveries.consumer.source
            try await eventually("all are taken, and more waited for") {
                taken.withLock { $0.count } == 4 && source.awaiting.load(ordering: .relaxed) > 0
            }
            for message in taken.withLock({ $0 }) {
                try message.ack()
                // Others are left, for which it may wait, but not for long.
                if message.deliveryTag == 2 { _ = try await peer.settlements(of: 1...2) }
            }
            _ = try await peer.settlements(of: 3...4)
            waiting.cancel()
        }
    }

    @Test func `of two acknowledgements at a time none is forgotten while one waits for more`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let (tag, source) = (deliveries.consumer.tag, deliveries.consumer.source)
            // No timer tells of them, so that what is forgotten stays so.
            channel.connection.link.outbox.state.withLock { $0.hasSettlingTimer = true }
            let taken = Mutex<[IncomingMessage]>([])
            let waiting = Task {
                for try await message in deliveries { taken.withLock { $0.append(message) } }
            }
            for first in stride(from: 1 as UInt64, to: 200, by: 2) {
                try await peer.send((first...first + 1).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
                try await eventually("both are taken, and more waited for") {
                    taken.withLock { $0.count } == Int(first) + 1 && source.awaiting.load(ordering: .relaxed) > 0
                }
                let pair = Array(taken.withLock { $0 }.suffix(2))
                DispatchQueue.concurrentPerform(iterations: 2) { index in try? pair[index].ack() }
                _ = try await peer.settlements(of: first...first + 1)
            }
            waiting.cancel()
        }
    }

    @Test func `a second settlement is an error and sends nothing`() async throws {
        try await withMessages(2) { peer, channel, messages in
            try messages[1].ack(multiple: true)
            for settle: (IncomingMessage) throws -> Void in [
                { try $0.ack() }, { try $0.reject() }, { try $0.nack(multiple: true) },
            ] {
                for message in messages {
                    do {
                        try settle(message)
                        Issue.record("settled twice")
                    } catch let error as AMQPError {
                        #expect(error.code == .alreadySettled)
                    }
                }
            }
            #expect(acknowledged(try await settled(peer, channel)) == [1, 2])
        }
    }

    @Test func `on a channel that is gone it is an error`() async throws {
        try await withMessages(1) { peer, channel, messages in
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "gone")
            try await peer.expect(.channelCloseOk)
            do {
                try messages[0].ack()
                Issue.record("settled on a dead channel")
            } catch let error as AMQPError {
                #expect(error.code == .staleDelivery)
            }
            #expect(peer.pendingFrames == [])
        }
    }

    @Test func `while the connection is being closed it is an error each time`() async throws {
        try await withMessages(4) { peer, channel, messages in
            try messages[0].ack()
            let closing = Task { await channel.connection.close() }
            while try await peer.next().method != .connectionClose {}
            for settle: () throws -> Void in [
                { try messages[1].ack() }, { try messages[2].ack() }, { try messages[3].reject() },
                { try messages[3].nack(multiple: true) },
            ] {
                let error = #expect(throws: AMQPError.self) { try settle() }
                #expect(error?.code == .staleDelivery)
            }
            try await peer.send(.connectionCloseOk, channel: 0)
            await closing.value
            #expect(peer.pendingFrames == [])
        }
    }

    @Test func `what comes before the answer to a recover can't be settled, what comes behind it can`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            var iterator = deliveries.makeAsyncIterator()
            try await peer.send(PeerFrame.delivery([1], tag: 4, consumer: tag))
            let before = try #require(try await iterator.next())
            let recovering = Task { try await channel.recover() }
            try await peer.expect(PeerMethod(60, 110))
            try await peer.send(
                PeerFrame.delivery([1], tag: 5, consumer: tag) + [.method(PeerMethod(60, 111), channel: 1)]
                    + PeerFrame.delivery([1], tag: 6, consumer: tag)
            )
            try await recovering.value
            let between = try #require(try await iterator.next())
            let behind = try #require(try await iterator.next())
            for message in [before, between] {
                let error = #expect(throws: AMQPError.self) { try message.ack() }
                #expect(error?.code == .alreadySettled)
                #expect(throws: AMQPError.self) { try message.reject() }
            }
            #expect(try await settled(peer, channel) == [])
            try behind.ack()
            #expect(acknowledged(try await settled(peer, channel)) == [6])
        }
    }

    @Test func `acknowledgements go out while publishers are held back`() async throws {
        try await withMessages(10, sendBuffer: 4096) { configuration in
            configuration.outboundHighWater = 64 * 1024
            configuration.publishTimeout = .seconds(30)
        } _: { peer, channel, messages in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            let publishing = Task {
                for _ in 0..<40 {
                    try await exchange.publish(Message(body: [UInt8](repeating: 1, count: 16 * 1024)), routingKey: "q")
                }
            }
            let outbox = channel.connection.link.outbox
            try await eventually("publishers are held back") { outbox.state.withLock { !$0.heldBack.isEmpty } }
            for message in messages { try message.ack() }
            peer.resumeReading()
            var published = 0
            var before: Int?
            while published < 40 || before == nil {
                let frame = try await peer.next()
                if frame.method == .basicPublish { published += 1 }
                if frame.method == .basicAck { before = published }
            }
            // Ahead of those that were held back.
            #expect(try #require(before) < 40)
            try await publishing.value
        }
    }
}

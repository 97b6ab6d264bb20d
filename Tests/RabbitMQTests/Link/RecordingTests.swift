import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The last frames of a connection", .timeLimit(.minutes(1)))
struct RecordingTests {
    @Test func `are none unless they are asked for`() async throws {
        try await ScriptedPeer.withChannel { _, connection, _ in #expect(await connection.recording == nil) }
    }

    @Test func `come in order, what comes in a row as one, and with the error of the end`() async throws {
        try await ScriptedPeer.withConnection(configure: { $0.recordedFrames = 20 }) { peer, connection in
            let channel = try await peer.openChannel(on: connection)
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let exchange = try channel.exchange("")
            for _ in 0..<5 { try await exchange.publish(Message(body: Array("s3cret".utf8)), routingKey: "s3cret") }
            for _ in 0..<5 { _ = try await peer.expectPublish() }
            let tag = deliveries.consumer.tag
            try await peer.send((1...3).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            for _ in 1...3 { _ = try await iterator.next() }
            let recording = try #require(await connection.recording)
            let published = try #require(recording.entries.first { $0.method == "basic.publish" })
            #expect(published.isSent && published.count == 5 && published.channel == channel.number)
            #expect(published.bytes > 5 * 6)
            let delivered = try #require(recording.entries.last { $0.method == "basic.deliver" })
            #expect(!delivered.isSent && delivered.count == 3)
            #expect(recording.entries.map(\.age) == recording.entries.map(\.age).sorted(by: >))
            #expect(recording.description.contains("> channel \(channel.number) basic.publish x 5, "))
            #expect(!recording.description.contains("s3cret"))
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "bye")
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            let last = try #require(reason.error.recording?.entries)
            #expect(last.contains { $0.method == "connection.close" && !$0.isSent })
            #expect(last.contains { $0.method == "connection.close-ok" && $0.isSent })
        }
    }

    @Test func `do not hold what was encoded and taken back`() throws {
        let outbox = Outbox(limits: Outbox.Limits(highWater: 1000, lowWater: 500)) { _ in }
        let log = FrameLog(limit: 2)
        outbox.state.withLock { $0.buffer.log = log }
        for channel in [1, 2] as [UInt16] { try outbox.send(.channelOpen, channel: channel, from: 0) }
        try outbox.send(.channelOpen, channel: 3, from: 0) { () throws(AMQPError) -> Outbox.Encoded in .rewind }
        try outbox.send(.channelOpen, channel: 2, from: 0) { () throws(AMQPError) -> Outbox.Encoded in .rewind }
        let error = #expect(throws: AMQPError.self) {
            try outbox.send(.channelOpen, channel: 4, from: 0) { () throws(AMQPError) -> Outbox.Encoded in
                throw AMQPError(.channelClosed, "closed")
            }
        }
        #expect(error?.code == .channelClosed)
        let entries = log.entries(isSent: true, at: 1)
        #expect(entries.map(\.channel) == [1, 2] && entries.map(\.count) == [1, 1])
        let size = outbox.pending
        #expect(entries.map(\.bytes) == [size / 2, size / 2])
    }

    @Test func `have a new secret among them, but not what it is`() throws {
        let (buffer, log) = (OutboundBuffer(), FrameLog(limit: 10))
        buffer.log = log
        let renewal = ClientMethod.connectionUpdateSecret(secret: Array("s3cret".utf8), reason: "renewed")
        try buffer.append(renewal, channel: 0, frameMax: 4096, pool: Pool())
        let entries = log.entries(isSent: true, at: 1)
        #expect(entries.map(\.method) == ["connection.update-secret"])
        #expect(entries.map(\.bytes) == [buffer.byteCount])
    }

    @Test func `have messages in a row as one, up to where something else is appended`() throws {
        let (buffer, pool, template) = (OutboundBuffer(), Pool(), PublishTemplate())
        buffer.log = FrameLog(limit: 10)
        func publish(_ channel: UInt16, _ message: Message = Message(body: [1]), times: Int = 1) throws {
            for _ in 0..<times {
                try buffer.appendPublish(
                    message,
                    exchange: "",
                    routingKey: "q",
                    mandatory: false,
                    channel: channel,
                    frameMax: 4096,
                    pool: pool,
                    template: template
                )
            }
        }
        try publish(1, times: 3)
        let size = buffer.byteCount / 3
        try publish(2, times: 2)
        let large = Message(body: [1], headers: ["key": .string(String(repeating: "x", count: 5000))])
        #expect(throws: AMQPError.self) { try publish(2, large) }
        try buffer.appendAck(channel: 2, deliveryTag: 1, multiple: false)
        let ack = buffer.byteCount - 5 * size
        try publish(2)
        buffer.appendHeartbeat()
        try publish(2, times: 2)
        for _ in 1...2 {
            let entries = try #require(buffer.log).entries(isSent: true, at: 1)
            let messages = "basic.publish"
            #expect(entries.map(\.method) == [messages, messages, "basic.ack", messages, "heartbeat", messages])
            #expect(entries.map(\.channel) == [1, 2, 2, 2, 0, 2])
            #expect(entries.map(\.count) == [3, 2, 1, 1, 1, 2])
            #expect(entries.map(\.bytes) == [3 * size, 2 * size, ack, size, 8, 2 * size])
        }
    }

    @Test func `do not hold a message that was taken back, whatever was before it`() throws {
        let (buffer, pool, template) = (OutboundBuffer(), Pool(), PublishTemplate())
        buffer.log = FrameLog(limit: 10)
        func publish(_ channel: UInt16) throws {
            try buffer.appendPublish(
                Message(body: [1]),
                exchange: "",
                routingKey: "q",
                mandatory: false,
                channel: channel,
                frameMax: 4096,
                pool: pool,
                template: template
            )
        }
        try publish(1)
        let size = buffer.byteCount
        for channel in [1, 2, 2] as [UInt16] {
            let mark = buffer.mark
            try publish(channel)
            buffer.takeBackMessage(to: mark)
        }
        try publish(1)
        let entries = try #require(buffer.log).entries(isSent: true, at: 1)
        #expect(entries.map(\.channel).allSatisfy { $0 == 1 })
        #expect(entries.map(\.count).reduce(0, +) == 2 && entries.map(\.bytes).reduce(0, +) == 2 * size)
    }

    @Test func `do not hold messages that a buffer forgot before anybody looked`() throws {
        let (buffer, pool, template) = (OutboundBuffer(), Pool(), PublishTemplate())
        buffer.log = FrameLog(limit: 10)
        func publish() throws {
            try buffer.appendPublish(
                Message(body: [1]),
                exchange: "",
                routingKey: "q",
                mandatory: false,
                channel: 1,
                frameMax: 4096,
                pool: pool,
                template: template
            )
        }
        for _ in 1...3 { try publish() }
        let size = buffer.byteCount / 3
        buffer.clear()
        try publish()
        let entries = try #require(buffer.log).entries(isSent: true, at: 1)
        #expect(entries.map(\.count) == [1] && entries.map(\.bytes) == [size])
    }

    @Test func `do not hold what was never written`() async throws {
        let record: (inout ConnectionConfiguration) -> Void = { $0.recordedFrames = 20 }
        try await ScriptedPeer.withChannel(sendBuffer: 4096, configure: record) { peer, connection, channel in
            peer.pauseReading()
            let exchange = try channel.exchange("")
            let size = 1 << 20
            try await exchange.publish(Message(body: [UInt8](repeating: 1, count: size)), routingKey: "q")
            try await eventually("the socket is full") { await connection.link.writing.isAwaitingRoom }
            let qos = Task { try await channel.setQos(prefetchCount: 1) }
            try await eventually("it is appended") { connection.link.outbox.state.withLock { !$0.buffer.isEmpty } }
            let before = try #require(await connection.recording)
            let published = try #require(before.entries.last { $0.isSent })
            #expect(published.method == "basic.publish" && published.count == 1 && published.bytes < size)
            peer.hangUp()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            let after = try #require(await connection.recording)
            let told = try #require(reason.error.recording)
            for recording in [told, after] {
                let last = try #require(recording.entries.last { $0.isSent })
                #expect(last.method == "basic.publish" && last.bytes < size)
            }
            await #expect(throws: AMQPError.self) { try await qos.value }
        }
    }

    @Test func `are taken back by their bytes from the last on, and others come behind`() {
        let log = FrameLog(limit: 3)
        let publish = UInt32(60 << 16 | 40)
        let opening = UInt32(20 << 16 | 10)
        for number: UInt16 in 1...3 { log.note(opening, number, bytes: 10) }
        log.note(publish, 1, bytes: 400, count: 4)
        #expect(log.entries(isSent: true, at: 1, unwritten: 150).map(\.count) == [1, 1, 3])
        #expect(log.entries(isSent: true, at: 1, unwritten: 400).map(\.channel) == [2, 3])
        log.takeBack(405)
        let left = log.entries(isSent: true, at: 1)
        #expect(left.map(\.channel) == [2, 3] && left.map(\.bytes) == [10, 5])
        log.note(publish, 7, bytes: 10)
        log.note(opening, 8, bytes: 10)
        #expect(log.entries(isSent: true, at: 2).map(\.channel) == [3, 7, 8])
        log.takeBack(1000)
        #expect(log.entries(isSent: true, at: 3).isEmpty)
    }

    @Test func `no more are kept than asked for`() {
        let log = FrameLog(limit: 3)
        for number in 1...10 {
            log.note(UInt32(60 << 16 | 40), UInt16(number), bytes: 10)
            log.stamp(at: UInt64(number))
        }
        let entries = log.entries(isSent: true, at: 10)
        #expect(entries.map(\.channel) == [8, 9, 10])
        #expect(entries.map(\.age) == [.nanoseconds(2), .nanoseconds(1), .zero])
    }

    @Test func `messages of several channels by turns don't wash away what comes more seldom`() {
        let log = FrameLog(limit: 8)
        let (opening, closing, publish) = (UInt32(20 << 16 | 10), UInt32(20 << 16 | 40), FrameLog.publish)
        func flood(_ count: Int) {
            for number in 0..<count { log.note(publish, UInt16(number % 2 + 1), bytes: 10) }
        }
        log.note(opening, 1, bytes: 1)
        log.stamp(at: 1)
        flood(100)
        log.note(closing, 1, bytes: 2)
        flood(100)
        let entries = log.entries(isSent: true, at: 2)
        #expect(entries.count == 8)
        #expect(entries.prefix(2).map(\.method) == ["channel.open", "channel.close"])
        #expect(entries.dropFirst(2).allSatisfy { $0.method == "basic.publish" })
        let ages: [Duration] = [.nanoseconds(1), .zero, .zero, .zero, .zero, .zero, .zero, .zero]
        #expect(entries.map(\.age) == ages)
        // Of what was never written the last goes first.
        log.takeBack(55)
        #expect(log.entries(isSent: true, at: 3).map(\.bytes) == [1, 2, 5])
        flood(100)
        // Nothing is lost when an entry begins, whatever has to go for it, and is taken back.
        for number: UInt16 in 3...5 {
            log.note(opening, number, bytes: 3)
            for _ in 1...6 {
                let before = log.entries(isSent: true, at: 4)
                let mark = log.mark
                log.note(closing, 9, bytes: 4)
                log.rewind(to: mark)
                #expect(log.entries(isSent: true, at: 4) == before)
                flood(3)
            }
        }
        let seldom = log.entries(isSent: true, at: 5).filter { $0.method != "basic.publish" }
        #expect(seldom.map(\.channel) == [4, 5])
    }
}

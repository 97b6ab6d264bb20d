import Foundation
import RabbitMQ
import TestSupport
import Testing

extension UnderLoad {
    @Suite("Back-pressure", .timeLimit(.minutes(1)))
    struct BackPressureTests {
        /// Fills a queue with this many messages of this size.
        private static func fill(_ queue: Queue, _ count: Int, size: Int) async throws {
            let exchange = try await queue.channel.declareExchange("")
            var message = Message(body: Array(repeating: 0, count: size))
            for number in 0..<count {
                withUnsafeBytes(of: UInt32(number).bigEndian) { message.body.replaceSubrange(0..<4, with: $0) }
                try await exchange.publish(message, routingKey: queue.name)
            }
        }

        /// Lends a connection that reads little ahead of its consumers, and a queue with this many messages of 10,000 bytes.
        private func withFullQueue(
            _ count: Int,
            heartbeat: Duration = .seconds(60),
            _ body: (Connection, Queue) async throws -> Void
        ) async throws {
            var configuration = try TestBroker.configuration
            configuration.inboundHighWater = 64 << 10
            configuration.heartbeat = heartbeat
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue(exclusive: true)
                try await Self.fill(queue, count, size: 10_000)
                try await body(connection, queue)
            }
        }

        /// Waits until a number no longer changes.
        @discardableResult
        private func settled(_ what: String, _ number: () throws -> Int) async throws -> Int {
            var last = -1
            var unchanged = 0
            try await eventually(what, within: .seconds(20)) {
                let now = try number()
                unchanged = now == last ? unchanged + 1 : 0
                last = now
                return unchanged == 60
            }
            return last
        }

        private static func number(_ message: IncomingMessage) -> Int {
            message.body.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }

        @Test("a slow noAck consumer on 200,000 messages keeps memory flat, and gets them all in order")
        func memory() async {
            // Memory is a process's own only if nothing else runs in it.
            await #expect(processExitsWith: .success) {
                await recordingErrors {
                    let (count, size) = (200_000, 500)
                    try await TestBroker.withQueue { connection, _, queue, _ in
                        try await UnderLoad.BackPressureTests.fill(queue, count, size: size)
                        let consuming = try await connection.openChannel()
                        let source = try await consuming.declareQueue(queue.name, exclusive: true, passive: true)
                        let before = try ProcessMeasure.residentMemory
                        var most = before
                        var expected = 0
                        for try await message in try await source.consume(.noAck) {
                            guard UnderLoad.BackPressureTests.number(message) == expected else {
                                Issue.record("\(UnderLoad.BackPressureTests.number(message)), not \(expected)")
                                break
                            }
                            // So slow that all 100 MB would come, if nobody held them off.
                            if expected == 0 { try await ProcessMeasure.waitForSettledMemory() }
                            if expected.isMultiple(of: 1000) { most = max(most, try ProcessMeasure.residentMemory) }
                            expected += 1
                            if expected == count { break }
                        }
                        #expect(expected == count)
                        #expect(most - before < 40 << 20 || ProcessMeasure.isSanitized)
                    }
                }
            }
        }

        @Test("a consumer that takes nothing stops the bytes, and gets everything when it goes on")
        func stops() async throws {
            try await TCPProxy.run { proxy in
                let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                let (count, size) = (10_000, 10_000)
                try await Self.fill(queue, count, size: size)
                var iterator = try await queue.consume(.noAck).makeAsyncIterator()
                _ = try await iterator.next()
                try await settled("no more bytes pass") { proxy.bytesToClient }
                #expect(proxy.bytesToClient < count * size * 3 / 4)
                for number in 1..<count {
                    let message = try #require(try await iterator.next())
                    guard Self.number(message) == number else {
                        Issue.record("\(Self.number(message)), not \(number)")
                        break
                    }
                }
                await connection.close()
            }
        }

        /// Limits that don't limit the bytes that come.
        enum Limits: String, CaseIterable, Sendable {
            /// RabbitMQ 4.3 takes the limit for all consumers as one for each, also for those that live.
            case lifted, liftedLater
            case tooHigh
        }

        @Test("nor does a limit that bounds nothing fill the memory", arguments: Limits.allCases)
        func boundless(limits: Limits) async throws {
            try await TCPProxy.run { proxy in
                let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                let (count, size) = (1000, 100_000)
                try await Self.fill(queue, count, size: size)
                try await channel.setQos(prefetchCount: limits == .tooHigh ? .max : 100)
                if limits == .lifted { try await channel.setQos(prefetchCount: 0, global: true) }
                var iterator = try await queue.consume().makeAsyncIterator()
                let first = try #require(try await iterator.next())
                if limits == .liftedLater { try await channel.setQos(prefetchCount: 0, global: true) }
                try await settled("no more bytes pass") { proxy.bytesToClient }
                #expect(proxy.bytesToClient < count * size / 2)
                try first.ack()
                for number in 1..<count {
                    let message = try #require(try await iterator.next())
                    guard Self.number(message) == number else {
                        Issue.record("\(Self.number(message)), not \(number)")
                        break
                    }
                    try message.ack()
                }
                await connection.close()
            }
        }

        @Test(
            "a call on another channel is answered while reading is paused",
            .needsPlainPort,
            arguments: [4 << 20, 64 << 10]
        )
        func callWhilePaused(highWater: Int) async throws {
            let descriptor = try TCPProxy.connectedSocket(port: TestBroker.plainPort)
            var configuration = try TestBroker.configuration
            configuration.tls = nil
            configuration.connectedSocket = descriptor
            configuration.inboundHighWater = highWater
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            // More than the sockets hold, and less than waiting calls may have read: an answer behind all of it comes too.
            try await Self.fill(queue, 5000, size: 10_000)
            var iterator = try await queue.consume(.noAck).makeAsyncIterator()
            _ = try await iterator.next()
            // Bytes that nobody reads lie in the socket.
            let unread = try await settled("the socket is left alone") { try TCPProxy.unreadBytes(of: descriptor) }
            #expect(unread > 0)
            #expect(try await connection.answers())
            await connection.close()
            withExtendedLifetime(iterator) {}
        }

        @Test("a message on another channel is confirmed while reading is paused, and so is one for each message taken")
        func confirmsWhilePaused() async throws {
            try await withFullQueue(5000) { connection, queue in
                var iterator = try await queue.consume(.noAck).makeAsyncIterator()
                let publishing = try await connection.openChannel()
                let target = try await publishing.declareQueue(exclusive: true)
                try await publishing.selectConfirms()
                for _ in 0..<50 {
                    _ = try await iterator.next()
                    try await publishing.defaultExchange.publishConfirmed(
                        Message(body: [1]),
                        routingKey: target.name,
                        timeout: .seconds(10)
                    )
                }
                #expect(try await connection.counts(of: target).messages == 50)
            }
        }

        @Test("while reading is paused the heartbeats don't end the connection")
        func heartbeatsWhilePaused() async throws {
            try await withFullQueue(3000, heartbeat: .seconds(1)) { connection, queue in
                var iterator = try await queue.consume(.noAck).makeAsyncIterator()
                _ = try await iterator.next()
                // Longer than the two intervals after which silence is an end, to either side.
                try await Task.sleep(for: .milliseconds(2500))
                #expect(connection.closeReason == nil)
                for number in 1..<3000 {
                    let message = try #require(try await iterator.next())
                    if Self.number(message) != number { Issue.record("\(Self.number(message)), not \(number)") }
                }
            }
        }

        enum Ending: CaseIterable, Sendable { case leaving, cancelling, cancelCall, breaking, closing }

        @Test("what was buffered goes back to the queue, however the consumer ends", arguments: Ending.allCases)
        func requeued(_ ending: Ending) async throws {
            try await TestBroker.withQueue { connection, _, queue, exchange in
                try await exchange.publishNumbers(0..<5000, to: queue)
                let channel = try await connection.openChannel()
                let source = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                try await connection.waitForMessages(5000, in: queue)
                let settled = Collected<Int?>()
                let task = Task {
                    let deliveries = try await source.consume()
                    for try await message in deliveries {
                        try message.ack()
                        settled.add(message.number)
                        guard settled.count >= 100 else { continue }
                        switch ending {
                        case .leaving: return
                        case .cancelCall: try await deliveries.consumer.cancel()
                        case .cancelling: while !Task.isCancelled { await Task.yield() }
                        case .closing: await channel.close()
                        case .breaking: break
                        }
                        if case .breaking = ending { break }
                    }
                }
                switch ending {
                case .cancelling:
                    try await eventually("a hundred were taken") { settled.count >= 100 }
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                case .closing: await expectError(.channelClosed) { try await task.value }
                default: try await task.value
                }
                #expect(settled.count == 100)
                try await connection.waitForMessages(4900, in: queue)
                try await eventually("the consumer is gone") { try await connection.counts(of: queue).consumers == 0 }
                // In their old order, and each once.
                var next = 100
                while let message = try await queue.get(noAck: true) {
                    if message.number != next { Issue.record("\(String(describing: message.number)), not \(next)") }
                    next += 1
                    if next == 300 { break }
                }
                #expect(next == 300)
            }
        }

        @Test("with a prefetch limit no more than that is taken from the queue, however many consumers wait")
        func prefetch() async throws {
            try await TestBroker.withQueue { connection, _, queue, exchange in
                try await exchange.publishNumbers(0..<1000, to: queue)
                let channel = try await connection.openChannel()
                try await channel.setQos(prefetchCount: 20)
                let source = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                let deliveries = [try await source.consume(), try await source.consume()]
                try await connection.waitForMessages(960, in: queue)
                for one in deliveries { try await one.consumer.cancel() }
                try await connection.waitForMessages(1000, in: queue)
            }
        }

        @Test("a callback consumer without acks that is cancelled midway lets reading go on")
        func cancelledWhilePaused() async throws {
            try await withFullQueue(3000) { connection, queue in
                let began = Collected<Int>()
                let consumer = try await queue.consume(.noAck) { message in
                    began.add(Self.number(message))
                    // As slow as can be: until the task is cancelled, or the test is over.
                    try await Task.sleep(for: .milliseconds(50))
                }
                try await eventually("it has begun") { began.count > 0 }
                try await consumer.cancel()
                let count = began.count
                #expect(try await connection.answers())
                #expect(try await queue.channel.declareQueue(exclusive: true).messageCount == 0)
                #expect(began.count == count)
            }
        }
    }
}

import Logging
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Reference: consumers", .timeLimit(.minutes(1)))
struct ConsumerRows {
    @Test("row 18: a consumer gets what is there and what comes, in order, with its own tag")
    func inOrder() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            try await exchange.publishNumbers(0..<500, to: queue)
            let numbers = Collected<Int?>()
            let consumer = try await queue.consume(ConsumerOptions(tag: "mine")) { message in
                numbers.add(message.number)
                if message.consumerTag != "mine" {
                    Issue.record("the tag is \(String(describing: message.consumerTag))")
                }
                try message.ack()
            }
            #expect(consumer.tag == "mine")
            #expect(consumer.callback != nil)
            #expect(!consumer.cancelled)
            try await exchange.publishNumbers(500..<1000, to: queue)
            try await eventually("all came") { numbers.count == 1000 }
            #expect(numbers.all == Array(0..<1000))
            try await consumer.cancel()
            try await connection.waitForMessages(0, in: queue)
        }
    }

    @Test("row 18: deliveries that race consume-ok are not lost")
    func raceConsumeOk() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            for round in 0..<50 {
                async let published: Void = exchange.publishNumbers(0..<20, to: queue)
                var expected = 0
                for try await message in try await queue.consume(.noAck) {
                    if message.number != expected {
                        Issue.record("round \(round): \(String(describing: message.number)), not \(expected)")
                    }
                    expected += 1
                    if expected == 20 { break }
                }
                try await published
                #expect(expected == 20)
            }
        }
    }

    @Test("row 18: an error that the callback throws is logged, and the next message comes")
    func callbackThrows() async throws {
        struct Mishap: Error {}
        let log = CapturedLog()
        try await Connection.withConnection(TestBroker.configuration(log: log)) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let numbers = Collected<Int?>()
            let consumer = try await queue.consume(.noAck) { message in
                numbers.add(message.number)
                if message.number == 1 { throw Mishap() }
            }
            try await channel.declareExchange("").publishNumbers(0..<4, to: queue)
            try await eventually("all came") { numbers.count == 4 }
            #expect(numbers.all == [0, 1, 2, 3])
            #expect(!consumer.cancelled)
            let entries = log.entries(containing: "Mishap")
            #expect(entries.map(\.level) == [.error])
            #expect(entries.first?.description.contains(consumer.tag) == true)
        }
    }

    @Test("row 18: noAck messages are gone once delivered, others come back; exclusive keeps others away")
    func flags() async throws {
        try await TestBroker.withConnection { connection in
            let owner = try await connection.openChannel()
            let queue = try await owner.declareQueue(exclusive: true)
            let exchange = try await owner.declareExchange("")
            try await exchange.publishNumbers(0..<2, to: queue)
            for noAck in [false, true] {
                let channel = try await connection.openChannel()
                let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                try await channel.setQos(prefetchCount: 10)
                var seen: [Int?] = []
                for try await message in try await same.consume(ConsumerOptions(noAck: noAck)) {
                    seen.append(message.number)
                    #expect(message.redelivered == noAck)
                    if seen.count == 2 { break }
                }
                #expect(seen == [0, 1])
                await channel.close()
                try await connection.waitForMessages(noAck ? 0 : 2, in: queue)
            }
            let alone = try await queue.consume(ConsumerOptions(exclusive: true, arguments: ["x-priority": 3]))
            let other = try await connection.openChannel()
            let same = try await other.declareQueue(queue.name, exclusive: true, passive: true)
            await expectError(.accessRefused) { try await same.consume() }
            withExtendedLifetime(alone) {}
        }
    }

    @Test("row 26: after cancel no callback begins; cancelled is set and onCancel is called, once")
    func cancel() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            var lateOnes = 0
            for round in 0..<30 {
                try await exchange.publishNumbers(0..<300, to: queue)
                let cancels = Collected<Int>()
                let errors = Collected<AMQPError>()
                let hasReturned = Atomic<Bool>(false)
                let late = Atomic<Int>(0)
                let began = Atomic<Int>(0)
                let consumer = try await queue.consume(
                    onCancel: { cancels.add(1) },
                    onError: { errors.add($0) },
                    callback: { message in
                        if hasReturned.load(ordering: .sequentiallyConsistent) {
                            late.add(1, ordering: .sequentiallyConsistent)
                        }
                        began.add(1, ordering: .sequentiallyConsistent)
                        try message.ack()
                    }
                )
                try await eventually("some came") { began.load(ordering: .relaxed) > round }
                // Whichever of the two is the later, it waits like the first.
                async let also: Void = consumer.cancel()
                if round.isMultiple(of: 2) { try await consumer.cancel() } else { try await also }
                hasReturned.store(true, ordering: .sequentiallyConsistent)
                #expect(consumer.cancelled)
                try await also
                try await consumer.cancel()
                try await eventually("onCancel was called") { cancels.count > 0 }
                let calls = began.load(ordering: .sequentiallyConsistent)
                // What was not seen went back to the queue: nothing is lost.
                try await connection.waitForMessages(300 - calls, in: queue)
                #expect(try await queue.purge() == 300 - calls)
                // One that has begun may be held up by the system before its first line, for as long as a cancel takes.
                #expect(late.load(ordering: .sequentiallyConsistent) <= 1)
                lateOnes += late.load(ordering: .sequentiallyConsistent)
                #expect(cancels.count == 1)
                #expect(errors.count == 0)
            }
            #expect(lateOnes <= 3)
        }
    }

    @Test("row 26: cancel ends an iteration without an error; a noAck consumer's messages can still be taken")
    func cancelIteration() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            let waiting = try await queue.consume()
            let loop = Task { for try await _ in waiting {} }
            try await waiting.consumer.cancel()
            try await loop.value
            #expect(waiting.consumer.cancelled)

            try await exchange.publishNumbers(0..<5, to: queue)
            let deliveries = try await queue.consume(.noAck)
            var iterator = deliveries.makeAsyncIterator()
            #expect(try await iterator.next()?.number == 0)
            try await connection.waitForMessages(0, in: queue)
            try await deliveries.consumer.cancel()
            for number in 1..<5 { #expect(try await iterator.next()?.number == number) }
            #expect(try await iterator.next() == nil)
        }
    }

    @Test("row 26: cancel from within the callback returns, and is the last")
    func cancelWithinCallback() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<50, to: queue)
            let cancels = Collected<Int>()
            let numbers = Collected<Int?>()
            let own = Mutex<Consumer?>(nil)
            let consumer = try await queue.consume(onCancel: { cancels.add(1) }) { message in
                numbers.add(message.number)
                try message.ack()
                if message.number == 3 {
                    try await eventually("the consumer is known") { own.withLock { $0 } != nil }
                    try await own.withLock { $0 }?.cancel()
                }
            }
            own.withLock { $0 = consumer }
            try await eventually("it was cancelled") { cancels.count == 1 }
            #expect(numbers.all == [0, 1, 2, 3])
            try await connection.waitForMessages(46, in: queue)
        }
    }
}

@Suite("Reference: consumers that the broker cancels", .timeLimit(.minutes(1)))
struct ServerCancelRows {
    @Test("row 27: when the queue is deleted elsewhere the consumer ends: cancelled, onCancel, one log entry")
    func queueDeleted() async throws {
        let log = CapturedLog()
        try await Connection.withConnection(TestBroker.configuration(log: log)) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let cancels = Collected<Int>()
            let errors = Collected<AMQPError>()
            let consumer = try await queue.consume(
                onCancel: { cancels.add(1) },
                onError: { errors.add($0) },
                callback: { _ in }
            )
            let deliveries = try await queue.consume()
            let loop = Task { for try await _ in deliveries {} }
            _ = try await connection.withChannel {
                try await $0.declareQueue(queue.name, exclusive: true, passive: true).delete(ifUnused: false)
            }
            try await eventually("onCancel was called") { cancels.count > 0 }
            #expect(consumer.cancelled)
            let error = await expectError(.consumerCancelled) { try await loop.value }
            #expect(error?.isChannelFatal == false)
            #expect(deliveries.consumer.cancelled)
            // Had a cancel-ok been sent, the broker would have closed the connection with 503.
            for _ in 0..<3 { _ = try await channel.declareQueue(exclusive: true) }
            try await consumer.cancel()
            #expect(connection.closeReason == nil)
            #expect(cancels.count == 1)
            #expect(errors.count == 0)
            #expect(log.entries(containing: "the broker cancelled a consumer").count == 2)
        }
    }

    @Test("row 27: an RPC in flight is not disturbed, whatever overtakes what")
    func rpcInFlight() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let deleting = try await connection.openChannel()
            for _ in 0..<50 {
                let queue = try await channel.declareQueue(exclusive: true)
                let same = try await deleting.declareQueue(queue.name, exclusive: true, passive: true)
                let deliveries = try await queue.consume()
                let loop = Task { for try await _ in deliveries {} }
                async let deleted = same.delete(ifUnused: false)
                async let answer = channel.declareQueue(exclusive: true)
                async let cancelled: Void = deliveries.consumer.cancel()
                #expect(try await answer.name.hasPrefix("amq.gen-"))
                try await cancelled
                _ = try await deleted
                do { try await loop.value } catch AMQPError.Code.consumerCancelled {}
            }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("row 27: what came before the cancel can still be taken and settled")
    func messagesBeforeCancel() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            try await exchange.publishNumbers(0..<3, to: queue)
            let deliveries = try await queue.consume()
            try await connection.waitForMessages(0, in: queue)
            _ = try await connection.withChannel {
                try await $0.declareQueue(queue.name, exclusive: true, passive: true).delete(ifUnused: false)
            }
            try await eventually("it is cancelled") { deliveries.consumer.cancelled }
            var numbers: [Int?] = []
            await expectError(.consumerCancelled) {
                for try await message in deliveries {
                    numbers.append(message.number)
                    try message.ack()
                }
            }
            #expect(numbers == [0, 1, 2])
            #expect(try await channel.declareQueue(exclusive: true).messageCount == 0)
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery", .timeLimit(.minutes(2)))
struct RecoveryTests {
    @Test func `a durable queue's unsettled message comes again, and settling it before does nothing`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"))
            var messages = try await queue.consume().makeAsyncIterator()
            try await queue.publish(Message("x"))
            let first = try #require(try await messages.next())
            #expect(!first.isStale)
            try await client.cutAndRecover()
            #expect(first.isStale)
            try first.ack()
            let second = try #require(try await messages.next())
            #expect(second.redelivered && second.words == "x" && !second.isStale)
            try second.ack()
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `a publisher waits, and its messages arrive in order`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"))
            for round in 0..<5 {
                client.proxy.cut()
                try await eventually("it is noticed") { client.events.all.count > round || !client.events.all.isEmpty }
                for number in 0..<20 {
                    while true {
                        do {
                            try await queue.publishConfirmed(Message("\(round * 20 + number)"))
                            break
                        } catch AMQPError.Code.outcomeUnknown {}
                    }
                }
            }
            try await eventually("all are there") {
                try await channel.declareQueue(queue.name, passive: true).messageCount >= 100
            }
            var numbers: [Int] = []
            while let message = try await queue.get(noAck: true) { numbers.append(Int(message.words) ?? -1) }
            #expect(Set(numbers) == Set(0..<100))
            #expect(numbers == numbers.sorted())
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `unconfirmed messages are published again in order, before anything new`() async throws {
        try await RecoveringClient.run({ $0.recovery.unconfirmed = .resend }) { client in
            let channel = try await client.connection.openChannel()
            try await channel.selectConfirms(maxUnconfirmed: 10_000)
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"))
            var receipts: [PublishReceipt] = []
            for number in 0..<5000 {
                if number % 1000 == 500 { client.proxy.cut() }
                receipts.append(try await queue.publish(Message("\(number)")))
            }
            for receipt in receipts { try await receipt.confirmed() }
            var last = -1
            var seen: Set<Int> = []
            while let message = try await queue.get(noAck: true) {
                let number = try #require(Int(message.words))
                // What is there twice begins anew from where it was not confirmed.
                if !seen.contains(number) {
                    #expect(number == last + 1)
                    last = number
                }
                seen.insert(number)
            }
            #expect(seen.count == 5000)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `an exclusive queue that the broker named gets another name, and its bindings and consumers follow`()
        async throws
    {
        try await RecoveringClient.run {
            // An exchange that deletes itself goes with the lost connection's queue, which a busy broker notices late.
            $0.recovery.firstDelay = .seconds(1)
        } _: { client in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(TestBroker.uniqueName("recovery"), autoDelete: true)
            let queue = try await channel.declareQueue(exclusive: true)
            let before = queue.name
            try await queue.bind(to: exchange, routingKey: "k")
            var messages = try await queue.consume(.noAck).makeAsyncIterator()
            let report = try await client.cutAndRecover()
            #expect(queue.name != before)
            #expect(report.renamed == [before: queue.name])
            #expect(report.bindings == 1 && report.exchanges == 1)
            try await exchange.publish(Message("x"), routingKey: "k")
            #expect(try await messages.next()?.words == "x")
        }
    }

    @Test func `a queue that was deleted does not come back, nor a binding that was removed`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let kept = try await channel.declareQueue(TestBroker.uniqueName("recovery"), exclusive: true)
            let deleted = try await channel.declareQueue(TestBroker.uniqueName("recovery"), exclusive: true)
            let binding = try await kept.bind(to: channel.topicExchange, routingKey: TestBroker.uniqueName("key"))
            try await binding.unbind()
            try await deleted.delete()
            let report = try await client.cutAndRecover()
            #expect(report.queues == 1 && report.bindings == 0)
            await #expect(throws: AMQPError.self) {
                try await client.connection.withChannel { try await $0.declareQueue(deleted.name, passive: true) }
            }
        }
    }

    @Test func `ten recoveries in a row bring all back`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 3)
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"))
            let seen = Collected<String>()
            let consumer = try await queue.consume { message in
                seen.add(message.words)
                try message.ack()
            }
            for round in 0..<10 {
                let report = try await client.cutAndRecover()
                #expect(report.consumers == 1 && report.queues == 1)
                try await queue.publish(Message("\(round)"))
                try await eventually("it came") { seen.all.last == "\(round)" }
            }
            try await consumer.cancel()
            #expect(try await consumer.ended == nil)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `closing while there is no connection ends at once, and everything with it`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"), exclusive: true)
            let consuming = Task { for try await _ in try await queue.consume(.noAck) {} }
            try await eventually("it consumes") {
                try await channel.declareQueue(queue.name, passive: true).consumerCount == 1
            }
            client.proxy.stop()
            try await eventually("it is down") { client.connection.state == .recovering }
            let publishing = Task { try await queue.publish(Message("x")) }
            let connection = client.connection
            try await within(.seconds(5), "it is closed") { await connection.close() }
            await #expect(throws: AMQPError.self) { try await publishing.value }
            await #expect(throws: AMQPError.self) { try await consuming.value }
            #expect(try await connection.closed.kind == .closedByApplication)
            #expect(channel.closeReason?.code == .connectionClosed || channel.closeReason?.code == .channelClosed)
        }
    }

    @Test func `an RPC call in flight fails at once, and the next one is answered`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(TestBroker.uniqueName("recovery"), exclusive: true)
            let server = try await queue.serveMessages { (request: IncomingMessage) async throws -> Message in
                if request.message.words == "slow" { try await Task.sleep(for: .seconds(60)) }
                return try Message("answer")
            }
            let rpc = try await client.connection.openRPCClient(routingKey: queue.name)
            let slow = Task { try await rpc.call(Message("slow")) }
            try await eventually("it waits") { rpc.pendingCount == 1 }
            try await client.cutAndRecover()
            await #expect { try await slow.value } throws: { ($0 as? AMQPError)?.code == .outcomeUnknown }
            #expect(try await rpc.call(Message("quick")).words == "answer")
            await server.stop(within: .zero)
        }
    }

    @Test func `it is given up after as many tries as may be`() async throws {
        try await RecoveringClient.run({ $0.recovery.maxAttempts = 3 }) { client in
            let channel = try await client.connection.openChannel()
            client.proxy.stop()
            let reason = try await within(.seconds(20), "it ends") { [connection = client.connection] in
                try await connection.closed
            }
            #expect(reason.kind == .lost)
            #expect(channel.closeReason != nil)
            let tries = client.events.all.filter { if case .trying = $0 { true } else { false } }
            #expect(tries.count == 3)
        }
    }
}

extension IncomingMessage {
    fileprivate var words: String { String(decoding: body, as: UTF8.self) }
}

extension Message {
    fileprivate var words: String { String(decoding: body, as: UTF8.self) }
}

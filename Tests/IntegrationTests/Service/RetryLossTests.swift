import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Retries while connections are lost", .timeLimit(.minutes(2)))
struct RetryLossTests {
    private typealias Failure = RetryBench.Failure

    @Test(arguments: [QueueType.classic, .quorum])
    func `every message ends as done or parked, whenever the connection is cut`(type: QueueType) async throws {
        try await RecoveringClient.run { client in
            let policy = RetryPolicy(
                attempts: 4,
                delay: .milliseconds(5),
                maxDelay: .milliseconds(20),
                maxReturns: nil
            )
            try await RetryBench.use(policy, on: client.connection, arguments: QueueArguments(type: type)) { bench in
                let messages = 300
                let done = Collected<Int>()
                try await bench.processing(maxConcurrency: 10) { message in
                    let number = Int(try message.text()) ?? -1
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...3)))
                    // A third fails each time, a third does at first.
                    if number % 3 == 0 || number % 3 == 1 && message.attempt < 3 { throw Failure("\(number)") }
                    done.add(number)
                } while: {
                    try await TestBroker.withChannel { _, other in
                        try await other.selectConfirms()
                        let exchange = other.defaultExchange
                        for number in 0..<messages {
                            try await exchange.publish(Message("\(number)"), routingKey: bench.queue.name)
                        }
                        try await other.waitForConfirms()
                        for round in 0..<6 {
                            let count = client.reports.count
                            try await eventually("some more are done", within: .seconds(20)) {
                                done.count >= min(150, round * 20)
                            }
                            try await Task.sleep(for: .milliseconds(Int.random(in: 0...30)))
                            client.proxy.cut()
                            try await client.recovered(after: count)
                        }
                        let parking = try other.queue(bench.parkingName)
                        let parked = Collected<Int>()
                        try await eventually("all are done or parked, and nothing is left", within: .seconds(60)) {
                            while let message = try await parking.get(noAck: true) {
                                parked.add(Int(try message.text()) ?? -1)
                            }
                            guard Set(done.all).union(parked.all).count == messages else { return false }
                            return try await bench.left() == 0
                        }
                        // One that was parked or done twice was so because nobody knew. None is in the wrong place.
                        #expect(Set(parked.all).isSuperset(of: (0..<messages).filter { $0 % 3 == 0 }))
                        #expect(Set(done.all).isDisjoint(with: (0..<messages).filter { $0 % 3 == 0 }))
                        #expect(Set(done.all).isSuperset(of: (0..<messages).filter { $0 % 3 == 2 }))
                    }
                }
            }
        }
    }

    @Test func `a message whose connection is lost each time is parked unseen, where the queue counts`() async throws {
        try await RecoveringClient.run { client in
            let policy = RetryPolicy(maxReturns: 2)
            try await RetryBench.use(policy, on: client.connection, arguments: QueueArguments(type: .quorum)) { bench in
                let begun = Atomic(0)
                try await bench.processing { _ in
                    begun.add(1, ordering: .relaxed)
                    // As if the process crashed.
                    client.proxy.cut()
                    try await Task.sleep(for: .seconds(600))
                } while: {
                    try await TestBroker.withChannel { try await $1.send("x", to: bench.queue.name) }
                    let parked = try await bench.nextParked()
                    #expect(parked.errorText?.contains("without any outcome") == true)
                }
                #expect(begun.load(ordering: .relaxed) >= 2)
            }
        }
    }
}

import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq acknowledges and puts back", .needsTool, .timeLimit(.minutes(3)))
struct SettlingToolTests {
    /// A quorum queue with messages whose bodies are numbers.
    private func filled(_ count: Int, _ scratch: Scratch, _ channel: Channel) async throws -> Queue {
        let queue = try await channel.declareQueue(scratch.queue(), arguments: QueueArguments(type: .quorum))
        try await channel.selectConfirms()
        for number in 0..<count { try await queue.publish(Message("\(number)")) }
        try await channel.waitForConfirms()
        try await eventually("\(count) messages") { try await queue.readyCount() == count }
        return queue
    }

    @Test("consume --count has a quorum queue take every acknowledgement before it ends")
    func counted() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(600, scratch, channel)
            let taken = try await ToolProcess.run(["consume", queue.name, "--count", "500", "--prefetch", "500"])
            #expect(taken.status == 0, "\(taken)")
            #expect(taken.output == (0..<500).map { "\($0)\n" }.joined(), "\(taken)")
            // What the queue has no acknowledgement of has come back with the rest.
            try await eventually("the rest") { try await queue.readyCount() >= 100 }
            #expect(try await queue.drain().compactMap { Int($0) }.sorted() == Array(500..<600))
        }
    }

    @Test("peek puts back all that it has looked at, whatever else is there")
    func putBack() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(200, scratch, channel)
            for _ in 0..<5 {
                let seen = try await ToolProcess.run(["peek", queue.name, "--count", "90", "--bodies"])
                #expect(seen.status == 0, "\(seen)")
                // The tool waits two seconds for it, and a busy machine may need more.
                try await eventually("all are there again") { try await queue.readyCount() == 200 }
            }
        }
    }
}

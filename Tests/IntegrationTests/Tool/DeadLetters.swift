import RabbitMQ
import TestSupport

/// A queue, and the one where its rejected messages go.
struct DeadLetters {
    let queue: Queue
    let dead: Queue

    /// Has messages die, whose bodies are the numbers from 0 on.
    static func make(
        _ count: Int,
        in scratch: Scratch,
        on channel: Channel,
        type: QueueType = .classic,
        headers: (Int) -> FieldTable? = { _ in nil }
    ) async throws -> DeadLetters {
        let dead = try await channel.declareQueue(scratch.queue("dead"), arguments: QueueArguments(type: type))
        let queue = try await channel.declareQueue(
            scratch.queue("alive"),
            arguments: QueueArguments(type: .classic, deadLetterExchange: "", deadLetterRoutingKey: dead.name)
        )
        for number in 0..<count {
            try await queue.publish(
                Message("\(number)", headers: headers(number), messageID: "\(number)")
            )
        }
        var died = 0
        for try await message in try await queue.consume() {
            try message.reject(requeue: false)
            died += 1
            if died == count { break }
        }
        try await eventually("\(count) dead letters") { try await dead.readyCount() == count }
        return DeadLetters(queue: queue, dead: dead)
    }
}

extension Queue {
    /// Takes all that is ready.
    func drain() async throws -> [String] {
        var texts: [String] = []
        while let message = try await get(noAck: true) { texts.append(try message.text()) }
        return texts
    }
}

extension [String] {
    /// As they are; of a quorum queue, whose broker decides where what comes back goes, in an order of their own.
    func inOrder(of type: QueueType) -> [String] { type == .quorum ? sorted() : self }
}

import Testing

@testable import RabbitMQ

@Suite("Events", .timeLimit(.minutes(1)))
struct EventBroadcastTests {
    private func numbers(of stream: AsyncStream<ConnectionEvent>) async -> [Int] {
        var numbers: [Int] = []
        for await event in stream {
            if case .trying(let attempt, _) = event { numbers.append(attempt) }
        }
        return numbers
    }

    private func trying(_ number: Int) -> ConnectionEvent { .trying(attempt: number, after: .zero) }

    @Test func `what is noted is told when it is handed on, and before what is sent later`() async {
        let events = EventBroadcast()
        let stream = events.subscribe()
        events.note(trying(1))
        events.send(trying(2))
        events.note(trying(3))
        events.finish()
        #expect(await numbers(of: stream) == [1, 2, 3])
        #expect(events.count == 0)
    }

    @Test func `nothing is told by noting it`() async {
        let events = EventBroadcast()
        events.note(trying(1))
        // As long as it is not handed on, who begins to look meanwhile hears of it.
        let stream = events.subscribe()
        events.deliver()
        events.finish()
        #expect(await numbers(of: stream) == [1])
    }

    @Test func `of events that several send each has its order, and nobody misses the end`() async {
        let events = EventBroadcast()
        let stream = events.subscribe()
        let (senders, each) = (4, 12)
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<senders {
                group.addTask { for number in 0..<each { events.send(trying(sender * 100 + number)) } }
            }
        }
        events.finish()
        let told = await numbers(of: stream)
        #expect(told.count == senders * each)
        for sender in 0..<senders {
            #expect(told.filter { $0 / 100 == sender } == (0..<each).map { sender * 100 + $0 })
        }
    }

    @Test func `who looks after the end hears of it at once`() async {
        let events = EventBroadcast()
        events.finish()
        #expect(await numbers(of: events.subscribe()).isEmpty)
    }
}

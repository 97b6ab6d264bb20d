import Synchronization
import Testing

@testable import RabbitMQ

@Suite("a channel that ends while something is published on it")
struct EndingWhilePublishingTests {
    @Test func `tells the publisher why`() async throws {
        final class Count: Sendable { let value = Atomic<Int>(0) }
        for _ in 0..<200 {
            let published = Count()
            let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
            let publisher = Task.detached { () -> AMQPError? in
                do throws(AMQPError) {
                    for _ in 0..<1_000_000 {
                        _ = try session.publishAtOnce(
                            Message(body: []),
                            exchange: "",
                            routingKey: "k",
                            mandatory: false
                        )
                        published.value.add(1, ordering: .relaxed)
                    }
                    return nil
                } catch {
                    return error
                }
            }
            while published.value.load(ordering: .relaxed) < 3 { await Task.yield() }
            session.finish(AMQPError(replyCode: 404, replyText: "gone", classID: 60, methodID: 40))
            #expect(await publisher.value?.code == .notFound)
        }
    }
}

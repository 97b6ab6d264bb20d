import Synchronization
import Testing

@testable import RabbitMQ

@Suite("a channel that ends while something is published on it")
struct EndingWhilePublishingTests {
    /// Published at the very moment at which the channel is not open any more.
    @Test func `tells the publisher why`() async throws {
        for _ in 0..<200 {
            let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
            let publisher = Task.detached { () -> AMQPError? in
                while session.isOpen.load(ordering: .relaxed) {}
                do throws(AMQPError) {
                    _ = try session.publishAtOnce(Message(body: []), exchange: "", routingKey: "k", mandatory: false)
                    return nil
                } catch {
                    return error
                }
            }
            await Task.yield()
            session.finish(AMQPError(replyCode: 404, replyText: "gone", classID: 60, methodID: 40))
            #expect(await publisher.value?.code == .notFound)
        }
    }
}

import Foundation
import Synchronization
import Testing

@testable import RabbitMQ

@Suite("a channel that ends while something is published on it")
struct EndingWhilePublishingTests {
    /// Published at the very moment at which the channel is not open any more, by a thread of its own: on one of those
    /// that tasks run on, a machine of one processor would wait here for ever.
    @Test func `tells the publisher why`() async throws {
        for _ in 0..<200 {
            let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
            let (started, published) = (OneShot<Void>(), OneShot<AMQPError?>())
            Thread.detachNewThread {
                started.succeed(())
                while session.isOpen { sched_yield() }
                do throws(AMQPError) {
                    // Whoever finds the way closed asks the session.
                    throw session.endReason
                } catch {
                    published.succeed(error)
                }
            }
            try await started.value()
            session.finish(AMQPError(replyCode: 404, replyText: "gone", classID: 60, methodID: 40))
            #expect(try await published.value()?.code == .notFound)
        }
    }
}

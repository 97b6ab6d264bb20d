import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("What can't be published again", .timeLimit(.minutes(1)))
struct PublishingAgainTests {
    /// Looks at something on the thread that wakes a task, before the task runs.
    private final class LookingExecutor: TaskExecutor {
        private let queue = DispatchQueue(label: "looking")
        private let look: @Sendable () -> Void

        init(_ look: @escaping @Sendable () -> Void) { self.look = look }

        /// Waits until what runs has come to a wait.
        func rest() { queue.sync {} }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            look()
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    @Test func `has its outcome once no lock is held, and is not counted as published`() async throws {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        session.outbox.frameMax = 4096
        session.state.withLock { $0.confirms = ConfirmLedger(limit: 10) }
        let messages = [5000, 1].map { size in
            let message = Message(body: [1], headers: ["x": .string(String(repeating: "x", count: size))])
            return UnconfirmedMessage(
                confirm: PendingConfirm(run: PublishRun(session: session, exchange: "e"), size: 1),
                kept: ConfirmLedger.Kept(exchange: "e", routingKey: "k", message: message, isMandatory: false)
            )
        }
        let large = messages[0].confirm
        let executor = LookingExecutor { _ = session.outbox.pending }
        let begun = Broadcast<Void>()
        let waiting = Task(executorPreference: executor) {
            begun.set(())
            try await large.wait(timeout: .seconds(30))
        }
        try await begun.wait()
        executor.rest()
        let port = PublishingPort(outbox: session.outbox, maxMessageSize: 1 << 20)
        var taken = 0
        let resent = try port.open(session, publishingAgain: messages, taken: &taken)
        let error = try await thrownError { try await waiting.value }
        #expect(error.code == .outcomeUnknown)
        #expect(taken == 2 && resent == 1)
        let republished = session.outbox.state.withLock { $0.traffic.republished }
        #expect(republished == 1)
        #expect(messages[1].confirm.outcome == nil)
        let unknown = session.tally.unknownOutcomes.current
        #expect(unknown == 1)
    }
}

import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a connection on which little happens", .timeLimit(.minutes(1)))
struct QuietConnectionTests {
    /// Runs tasks, and notes on which thread they were woken.
    private final class Recorder: TaskExecutor {
        private let names = Mutex<[String]>([])
        private let queue = DispatchQueue(label: "recorder")

        var last: String? { names.withLock { $0.last } }

        func enqueue(_ job: consuming ExecutorJob) {
            let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            names.withLock { $0.append(name?.trimmingCharacters(in: .newlines) ?? "unknown") }
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    @Test func `a lone message wakes its consumer from the thread that noticed it, many do from the queue`()
        async throws
    {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let tag = deliveries.consumer.tag
            let recorder = Recorder()
            let received = Collected<UInt64>()
            try await withThrowingTaskGroup { group in
                group.addTask(executorPreference: recorder) {
                    for try await delivery in deliveries { received.add(delivery.deliveryTag) }
                }
                var sent = 0
                func wokenBy(sending count: Int) async throws -> String? {
                    let frames = (1...count).flatMap { PeerFrame.delivery([1], tag: UInt64(sent + $0), consumer: tag) }
                    sent += count
                    try await peer.send(frames)
                    let all = sent
                    try await eventually("the messages") { received.count == all }
                    return recorder.last
                }
                // Not each time: sockets of other tests may be ready at the same moment, or the queue be busy.
                try await eventually("the poller hands one over") { try await wokenBy(sending: 1) == "rabbitmq.poller" }
                try await eventually("the queue hands many over") {
                    let name = try await wokenBy(sending: 2000)
                    return name != nil && name != "rabbitmq.poller"
                }
                group.cancelAll()
            }
        }
    }

    @Test func `what follows on a lone message is handled after it`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            for number in 1...20 as ClosedRange<UInt64> {
                let deliveries = try await peer.consume(queue)
                let tag = deliveries.consumer.tag
                let cancel = PeerFrame.method(.basicCancel, channel: 1) {
                    $0.shortString(tag)
                    $0.octet(1)
                }
                try await peer.send(PeerFrame.delivery([1], tag: number, consumer: tag) + [cancel])
                let received = Collected<UInt64>()
                let error = try await thrownError {
                    for try await delivery in deliveries { received.add(delivery.deliveryTag) }
                }
                #expect(received.all == [number])
                #expect(error.code == .consumerCancelled)
            }
        }
    }

    @Test func `a log that blocks holds up no other connection`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let log = CapturedLog { entry in
            if entry.message.contains("blocks publishing") { gate.wait() }
        }
        try await ScriptedPeer.withChannel { peer, connection, channel in
            try await ScriptedPeer.withConnection {
                $0.logger = log.logger
            } _: { blockedPeer, blocked in
                defer { gate.signal() }
                // From now on it is the poller that reads.
                try await eventually("it is quiet") { blocked.link.isQuiet.load(ordering: .relaxed) }
                try await blockedPeer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
                try await eventually("the log blocks") { !log.entries(containing: "blocks publishing").isEmpty }
                async let answered: Void = channel.setQos(prefetchCount: 1)
                try await peer.expect(.basicQos)
                try await peer.send(.basicQosOk)
                try await answered
                #expect(blocked.blockedReason == nil)
                withExtendedLifetime(connection) {}
            }
        }
    }

    @Test func `a log that blocks over a message that nobody waits for holds up no other connection`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let log = CapturedLog { entry in
            if entry.message.contains("was not confirmed") { gate.wait() }
        }
        try await ScriptedPeer.withChannel { peer, _, channel in
            try await ScriptedPeer.withChannel {
                $0.logger = log.logger
            } _: { blockedPeer, blocked, blockedChannel in
                defer { gate.signal() }
                async let selected: Void = blockedChannel.selectConfirms()
                try await blockedPeer.expect(PeerMethod(85, 10))
                try await blockedPeer.send(.confirmSelectOk)
                try await selected
                try await blockedChannel.defaultExchange.publish(Message(body: [1]), routingKey: "k")
                try await blockedPeer.sendReturn(of: try await blockedPeer.expectPublish())
                // From now on it is the poller that reads.
                try await blockedPeer.waitUntilRead()
                try await eventually("it is quiet") { blocked.link.isQuiet.load(ordering: .relaxed) }
                try await blockedPeer.sendAck(1)
                try await eventually("the log blocks") { !log.entries(containing: "was not confirmed").isEmpty }
                async let answered: Void = channel.setQos(prefetchCount: 1)
                try await peer.expect(.basicQos)
                try await peer.send(.basicQosOk)
                try await answered
            }
        }
    }

    @Test func `a reset that is noticed while little happens ends the connection once, with its reason`() async throws {
        for _ in 1...20 {
            let peer = try ScriptedPeer()
            let ends = Collected<AMQPError>()
            let connection = try await peer.connect(onClose: { ends.add($0) })
            try await eventually("it is quiet") { connection.link.isQuiet.load(ordering: .relaxed) }
            peer.hangUp()
            _ = try await within(.seconds(10), "the end") { try await connection.closed }
            try await eventually("the end is told") { ends.count > 0 }
            #expect(ends.all.map(\.code) == [.connectionLost])
        }
    }
}

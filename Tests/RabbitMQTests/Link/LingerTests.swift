import Dispatch
import Glibc
import Testing

@testable import RabbitMQ

@Suite("lingering at a socket", .timeLimit(.minutes(1)))
struct LingerTests {
    private func pair() -> (CInt, CInt) {
        var descriptors: [CInt] = [-1, -1]
        socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &descriptors)
        return (descriptors[0], descriptors[1])
    }

    @Test func `what comes ends it`() {
        let (near, far) = pair()
        defer { for descriptor in [near, far] { close(descriptor) } }
        let linger = Linger()
        #expect(linger.wait(for: near) == .inVain)
        write(far, "x", 1)
        #expect(linger.wait(for: near) == .readable)
        close(far)
        #expect(linger.wait(for: near) == .readable)
    }

    @Test func `nobody lingers while the queue has something to do`() {
        let (near, far) = pair()
        defer { for descriptor in [near, far] { close(descriptor) } }
        let linger = Linger()
        write(far, "x", 1)
        linger.blockAdded()
        #expect(linger.wait(for: near) == .inVain)
        linger.blockBegan()
        #expect(linger.wait(for: near) == .readable)
    }

    @Test func `blocks are run soon whenever they are given to a queue that lingers`() async {
        let (near, far) = pair()
        defer { for descriptor in [near, far] { close(descriptor) } }
        let executor = QueueExecutor(label: "lingering")
        for _ in 0..<200 {
            executor.run { _ = executor.linger.wait(for: near) }
            await withCheckedContinuation { continuation in executor.run { continuation.resume() } }
        }
    }
}

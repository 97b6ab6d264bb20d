import Glibc
import Testing

@testable import RabbitMQ

@Suite("where connecting is done", .timeLimit(.minutes(1)))
struct ConnectExecutorTests {
    private struct Seen: Sendable {
        var thread: pthread_t
        var name: String
    }

    private static func look() -> Seen {
        let file = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = max(0, read(file, &bytes, bytes.count))
        let line = String(decoding: bytes.prefix(count), as: UTF8.self)
        return Seen(thread: pthread_self(), name: String(line.prefix { $0 != "\n" }))
    }

    @Test func `however many connect, they do it on four threads at the most, which have a name`() async {
        let seen = await withTaskGroup { group in
            for _ in 0..<50 {
                group.addTask(executorPreference: ConnectExecutor.shared) {
                    var seen: [Seen] = []
                    for _ in 0..<20 {
                        seen.append(Self.look())
                        await Task.yield()
                    }
                    return seen
                }
            }
            return await group.reduce(into: [Seen]()) { $0 += $1 }
        }
        #expect(seen.count == 1000)
        #expect(Set(seen.map(\.name)) == ["rabbitmq.dial"])
        #expect(Set(seen.map(\.thread)).count <= 4)
    }
}

import Testing

@testable import RabbitMQ

@Suite("lines of those who wait")
struct WaitingLineTests {
    @Test func `who waits gets out in the order of coming, whoever leaves in between`() {
        var line = WaitingLine<Void>()
        let waiters = (0..<10).map { _ in line.join() }
        for index in stride(from: 1, to: 10, by: 2) {
            waiters[index].fail(CancellationError())
            line.leave()
        }
        var out: [ObjectIdentifier] = []
        while let waiter = line.popFirst() {
            if waiter.succeed(()) { out.append(ObjectIdentifier(waiter)) }
        }
        #expect(out == stride(from: 0, to: 10, by: 2).map { ObjectIdentifier(waiters[$0]) })
    }

    @Test func `who stops waiting does not stay listed`() {
        var line = WaitingLine<Void>()
        let patient = line.join()
        for _ in 0..<10_000 {
            line.join().fail(CancellationError())
            line.leave()
            #expect(line.count <= 3)
        }
        #expect(line.popFirst() === patient)
    }

    @Test func `one that is taken out when it has left already is not counted twice`() {
        var line = WaitingLine<Void>()
        for _ in 0..<1_000 {
            let waiter = line.join()
            waiter.fail(CancellationError())
            #expect(line.popFirst() === waiter)
            line.leave()
            #expect(line.isEmpty)
        }
        let waiters = (0..<100).map { _ in line.join() }
        #expect(line.count == 100)
        #expect(line.removeAll().map { ObjectIdentifier($0) } == waiters.map { ObjectIdentifier($0) })
        #expect(line.isEmpty)
    }
}

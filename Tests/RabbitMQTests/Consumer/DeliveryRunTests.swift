import Testing

@testable import RabbitMQ

@Suite("messages that came together")
struct DeliveryRunTests {
    private func source() -> DeliverySource {
        let link = Link(configuration: ConnectionConfiguration())
        let lease = ChannelLease(
            session: ChannelSession(link: link, number: 1),
            connection: ConnectionLease(link: link)
        )
        return DeliverySource(lease: lease, consumerTag: "c", noAck: true)
    }

    @Test(arguments: [(1, 65_536), (10_000, 20 * (10_000 + 256))])
    func `what keeps the memory it was received into counts with a fair part of that`(size: Int, counted: Int) throws {
        let chunk = ReceiveChunk(capacity: 192 * 1024)
        let run = DeliveryRun()
        for _ in 0..<20 {
            let isTaken = run.append(chunk, offset: 0, bodySize: size)
            #expect(isTaken)
        }
        try run.settleForm(source(), DeliveryDecoder())
        #expect(run.footprint == counted)
        run.clear()
        #expect(run.footprint == 0)
    }
}

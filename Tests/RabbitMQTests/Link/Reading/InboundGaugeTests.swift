import TestSupport
import Testing

@testable import RabbitMQ

@Suite("how much is read for slow consumers")
struct InboundGaugeTests {
    private let gauge = InboundGauge(highWater: 100, callMargin: 1000) {}

    @Test func `reading pauses at the mark, and goes on at half of it`() {
        gauge.add(99)
        #expect(!gauge.decide())
        gauge.add(1)
        #expect(gauge.decide())
        gauge.remove(49)
        #expect(gauge.decide())
        gauge.remove(1)
        #expect(!gauge.decide())
    }

    @Test
    func `what is more than the shares of consumers with a limit pauses it too, with the same margin`() {
        gauge.add(50)
        gauge.changeExcess(by: 49)
        #expect(!gauge.decide())
        gauge.changeExcess(by: 1)
        #expect(gauge.decide())
        gauge.callBegan()
        gauge.changeExcess(by: 1049)
        #expect(!gauge.decide())
        gauge.changeExcess(by: 1)
        #expect(gauge.decide())
        gauge.changeExcess(by: -1)
        #expect(!gauge.decide())
        gauge.callEnded()
        #expect(gauge.decide())
        gauge.changeExcess(by: -1099)
        #expect(!gauge.decide())
        #expect(gauge.waitingBytes == 50)
    }

    @Test func `the end of a pause is told though reading goes on for somebody who waits`() {
        let told = Collected<Void>()
        let gauge = InboundGauge(highWater: 100, callMargin: 1000) { told.add(()) }
        gauge.add(100)
        #expect(gauge.decide())
        gauge.rememberPause(true)
        gauge.callBegan()
        #expect(told.count == 1)
        #expect(!gauge.decide())
        gauge.remove(49)
        #expect(told.count == 1)
        gauge.remove(1)
        #expect(told.count == 2)
        gauge.rememberPause(false)
        gauge.remove(1)
        #expect(told.count == 2)
    }

    @Test func `while somebody waits for the broker it goes on, as far as the margin`() {
        gauge.add(100)
        #expect(gauge.decide())
        gauge.callBegan()
        #expect(!gauge.decide())
        gauge.add(999)
        #expect(!gauge.decide())
        gauge.add(1)
        #expect(gauge.decide())
        gauge.callEnded()
        #expect(gauge.decide())
    }

    @Test func `each wait has the whole margin, however much waits already`() {
        for _ in 0..<4 {
            gauge.callBegan()
            gauge.add(900)
            #expect(!gauge.decide())
            gauge.callEnded()
            #expect(gauge.decide())
            gauge.remove(1)
        }
    }

    @Test func `a wait that begins later extends those before`() {
        gauge.callBegan()
        gauge.add(1050)
        gauge.callBegan()
        gauge.add(900)
        #expect(!gauge.decide())
        gauge.callEnded()
        #expect(!gauge.decide())
        gauge.callEnded()
        #expect(gauge.decide())
    }

    @Test(arguments: [false, true])
    func `one wait after another does not have it go on for ever`(isExcess: Bool) {
        for _ in 0..<100 {
            gauge.callBegan()
            if !gauge.decide() { if isExcess { gauge.changeExcess(by: 900) } else { gauge.add(900) } }
            gauge.callEnded()
        }
        gauge.callBegan()
        #expect(gauge.decide())
        #expect(gauge.waitingBytes < 100 + 4 * 1000 + 900)
    }

    @Test func `who waits hears of it when so much has been taken that reading may go on`() {
        let changes = Collected<Bool>()
        let gauge = InboundGauge(highWater: 100, callMargin: 1000) { changes.add(true) }
        gauge.callBegan()
        gauge.add(1100)
        #expect(gauge.decide())
        #expect(changes.count == 0)
        gauge.remove(1)
        #expect(changes.count == 1)
        #expect(!gauge.decide())
    }

    @Test func `the greatest mark and margin do not overflow, and never pause reading`() {
        let gauge = InboundGauge(highWater: .max, callMargin: .max) {}
        gauge.callBegan()
        gauge.add(1 << 40)
        #expect(!gauge.decide())
    }
}

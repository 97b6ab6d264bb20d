import Testing

@testable import RabbitMQ

@Suite("a loop that does nothing but publish")
struct TightLoopTests {
    /// Looks each 30 us, for a millisecond.
    private func looks(_ loop: inout TightLoop, from start: UInt64, count: Int, eachTook time: UInt64) -> [Bool] {
        (1...33).map { look in
            let now = start + UInt64(look) * 30_000
            return loop.look(count: count + look * Int(30_000 / time), now: now)
        }
    }

    @Test func `has to go on for a while`() {
        var loop = TightLoop()
        let seen = looks(&loop, from: 1_000_000_000, count: 0, eachTook: 200)
        // The first look back goes to a time of which nothing is known.
        let proven = 2 + Int(TightLoop.proof / 30_000) + 1
        #expect(seen.firstIndex(of: true).map { $0 + 1 } == proven)
        #expect(seen.dropFirst(proven).allSatisfy { $0 })
    }

    @Test(arguments: [1200, 2500, 30_000] as [UInt64]) func `has no time to compute`(time: UInt64) {
        var loop = TightLoop()
        #expect(!looks(&loop, from: 1_000_000_000, count: 0, eachTook: time).contains(true))
    }

    @Test func `goes on also where the machine or the broker is slower for a while`() {
        var loop = TightLoop()
        #expect(looks(&loop, from: 1_000_000_000, count: 0, eachTook: 200).last == true)
        let now: UInt64 = 1_000_000_000 + 33 * 30_000
        #expect(looks(&loop, from: now, count: 33 * 150, eachTook: 1500).allSatisfy { $0 })
    }

    @Test func `is over as soon as it has paused`() {
        var loop = TightLoop()
        #expect(looks(&loop, from: 1_000_000_000, count: 0, eachTook: 200).last == true)
        let now: UInt64 = 1_000_000_000 + 34 * 30_000
        let goesOn = loop.look(count: 33 * 150, now: now)
        #expect(!goesOn)
        #expect(looks(&loop, from: now, count: 33 * 150, eachTook: 200).first == false)
    }
}

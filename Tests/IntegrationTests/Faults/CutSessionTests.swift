import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("a session that is cut after so many bytes", .timeLimit(.minutes(FaultBattery.isLong ? 180 : 2)))
struct CutSessionTests {
    @Test(arguments: FaultProxy.Ending.allCases)
    func `ends each await in time, and loses nothing that was confirmed`(ending: FaultProxy.Ending) async throws {
        let places = FaultBattery.places(every: ending == .freeze ? 509 : 67)
        let missed = Collected<Int>()
        try await FaultBattery.run(places) { place in
            let frozen = FaultProxy.Direction.allCases[place % 3]
            let plan = FaultProxy.Plan(bytes: place, ending, frozen: frozen)
            try await FaultProxy.run(then: plan) { proxy in
                let session = try FaultSession(through: proxy)
                let outcome = await session.run()
                #expect(outcome.faults.isEmpty, "\(ending) \(frozen) after \(place) bytes")
                do {
                    try await eventually("it is cut", within: .seconds(5)) { proxy.passed >= place }
                } catch is ConditionTimeout {
                    missed.add(place)
                }
                proxy.stop()
                let lost = try await session.lost(outcome)
                #expect(lost.isEmpty, "\(ending) \(frozen) after \(place) bytes")
            }
        }
        // On a busy machine a deadline may pass before that.
        #expect(missed.count * 20 <= places.count, "these were never cut: \(missed.all)")
    }

    @Test func `goes on to its end, if it recovers`() async throws {
        try await FaultBattery.run(FaultBattery.places(every: 97)) { place in
            let ending: FaultProxy.Ending = place % 2 == 0 ? .reset : .close
            try await FaultProxy.run([.init(bytes: place, ending)]) { proxy in
                let session = try FaultSession(through: proxy).recovering
                let outcome = await session.run()
                #expect(outcome.isComplete, "\(ending) after \(place) bytes: \(outcome)")
                #expect(proxy.accepted > 1, "never cut after \(place) bytes")
                let lost = try await session.lost(outcome)
                #expect(lost.isEmpty, "\(ending) after \(place) bytes")
            }
        }
    }

    /// First amid the third message; then in the handshake, in what is opened and declared again, in what is sent again.
    @Test func `goes on to its end, if it is cut once more while it recovers`() async throws {
        let places = Array(stride(from: 0, to: 2048, by: FaultBattery.isLong ? 1 : 97))
        try await FaultBattery.run(places) { place in
            let ending: FaultProxy.Ending = place % 2 == 0 ? .reset : .close
            try await FaultProxy.run([.init(bytes: 3000, .reset), .init(bytes: place, ending)]) { proxy in
                let session = try FaultSession(through: proxy).recovering
                let outcome = await session.run()
                #expect(outcome.isComplete, "\(ending) after \(place) bytes: \(outcome)")
                #expect(proxy.accepted > 2, "not cut twice: \(place) bytes")
                let lost = try await session.lost(outcome)
                #expect(lost.isEmpty, "\(ending) after \(place) bytes")
            }
        }
    }

    @Test(arguments: ["byte by byte", "late", "slowly"])
    func `goes on to its end, if its bytes only come otherwise`(how: String) async throws {
        var plan = FaultProxy.Plan()
        var sizes = [20, 200, 20]
        switch how {
        case "byte by byte": plan.piece = 1
        case "late":
            plan.delay = .milliseconds(30)
            sizes = FaultSession.sizes
        default: plan.rate = FaultBattery.isLong ? 1024 : 4096
        }
        try await FaultProxy.run(then: plan) { [plan, sizes] proxy in
            let session = try FaultSession(through: proxy, sizes: sizes).recovering
            let outcome = await session.run()
            #expect(outcome.isComplete, "\(plan): \(outcome)")
            #expect(proxy.accepted == 1)
            #expect(try await session.lost(outcome).isEmpty)
        }
    }

    @Test func `leaves no descriptor and no memory`() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                let cycle = Atomic(0)
                try await ProcessMeasure.cycles(FaultBattery.cycles, lanes: 4) {
                    let place = cycle.wrappingAdd(17, ordering: .relaxed).newValue % 3000
                    let ending = FaultBattery.ending(after: place)
                    try await FaultProxy.run(then: .init(bytes: place, ending)) { proxy in
                        let session = try FaultSession(through: proxy)
                        let outcome = await session.run()
                        proxy.stop()
                        guard outcome.faults.isEmpty, try await session.lost(outcome).isEmpty else {
                            throw ConditionFailed(description: "\(ending) after \(place) bytes: \(outcome)")
                        }
                    }
                }
            }
        }
    }
}

struct ConditionFailed: Error, CustomStringConvertible {
    let description: String
}

import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// The handshake of TLS, with AMQP's and the first calls behind it, wherever it is cut or held up.
@Suite(
    "a session over TLS that is cut after so many bytes",
    .needsBrokerScript,
    .timeLimit(.minutes(FaultBattery.isLong ? 180 : 2))
)
struct CutHandshakeTests {
    /// A version of TLS, whose handshake has other steps than the other's, and what happens to it.
    struct Case: Sendable, CustomTestStringConvertible {
        let version: ConnectionConfiguration.TLS.Version
        let ending: FaultProxy.Ending

        static let all: [Case] = FaultProxy.Ending.allCases.flatMap { ending in
            CutHandshakeTests.versions.map { version in Case(version: version, ending: ending) }
        }

        var testDescription: String { "\(version), \(ending.rawValue)" }
    }

    static let versions: [ConnectionConfiguration.TLS.Version] = [.tls12, .tls13]

    /// Beyond what both handshakes take, both ways, with certificates of some 600 bytes.
    private static let end = 5000

    /// What a whole session takes at the least, and more: up to here each one is cut.
    private static let least = 2500

    /// How an end in the middle may be told. That the certificate is a bad one it never is.
    private static let codes: [AMQPError.Code] = [
        .connectionLost, .connectionClosed, .connectionFailed, .timedOut, .tlsFailed, .outcomeUnknown, .blockedTooLong,
    ]

    private static func tls(_ version: ConnectionConfiguration.TLS.Version) throws -> ConnectionConfiguration.TLS {
        var tls = try TestBroker.tls
        tls.minimumVersion = version
        tls.maximumVersion = version
        return tls
    }

    /// Each byte where all of the battery is asked for. Those that freeze take seconds each.
    private static func places(_ ending: FaultProxy.Ending) -> [Int] {
        let step = ending == .freeze ? 401 : 61
        return Array(stride(from: 0, to: end, by: FaultBattery.isLong ? 1 : step))
    }

    @Test(arguments: Case.all)
    func `ends each await in time, and loses nothing that was confirmed`(_ test: Case) async throws {
        let places = Self.places(test.ending)
        let missed = Collected<Int>()
        try await FaultBattery.run(places) { place in
            let frozen = FaultProxy.Direction.allCases[place % 3]
            let plan = FaultProxy.Plan(bytes: place, test.ending, frozen: frozen)
            try await FaultProxy.run(then: plan, to: TestBroker.tlsPort) { proxy in
                let session = try FaultSession(through: proxy, sizes: [20, 200], tls: Self.tls(test.version))
                let outcome = await session.run()
                let what = "\(test.testDescription) \(frozen) after \(place) bytes: \(outcome)"
                #expect(outcome.faults.isEmpty, "\(what)")
                for error in outcome.errors {
                    #expect(Self.codes.contains(error.code), "\(what)")
                    #expect((error.underlying as? TLSFailure)?.step != .serverVerification, "\(what)")
                }
                if place <= Self.least {
                    do {
                        try await eventually("it is cut", within: .seconds(5)) { proxy.passed >= place }
                    } catch is ConditionTimeout {
                        missed.add(place)
                    }
                }
                proxy.stop()
                let lost = try await session.lost(outcome)
                #expect(lost.isEmpty, "\(what)")
            }
        }
        // On a busy machine a deadline may pass before that.
        #expect(missed.count <= max(1, places.count / 20), "\(test.testDescription), never cut: \(missed.all)")
    }

    @Test(arguments: versions)
    func `goes on to its end, if it recovers`(_ version: ConnectionConfiguration.TLS.Version) async throws {
        let places = Array(stride(from: 0, to: Self.end, by: FaultBattery.isLong ? 1 : 131))
        try await FaultBattery.run(places) { place in
            let ending: FaultProxy.Ending = place % 2 == 0 ? .reset : .close
            let plan = FaultProxy.Plan(bytes: place, ending)
            try await FaultProxy.run([plan], to: TestBroker.tlsPort) { proxy in
                let session = try FaultSession(through: proxy, sizes: [20, 200], tls: Self.tls(version)).recovering
                let outcome = await session.run()
                #expect(outcome.isComplete, "\(version) \(ending) after \(place) bytes: \(outcome)")
                #expect(place > Self.least || proxy.accepted > 1, "\(version) never cut after \(place) bytes")
                let lost = try await session.lost(outcome)
                #expect(lost.isEmpty, "\(version) \(ending) after \(place) bytes")
            }
        }
    }

    /// A record of TLS has a head of 5 bytes, which pieces of 4 and 6 cut at each of its places in turn.
    @Test(arguments: versions, [1, 4, 5, 6, 17])
    func `goes on to its end, if its bytes come in pieces`(
        _ version: ConnectionConfiguration.TLS.Version,
        _ piece: Int
    ) async throws {
        var plan = FaultProxy.Plan()
        plan.piece = piece
        try await FaultProxy.run(then: plan, to: TestBroker.tlsPort) { proxy in
            let session = try FaultSession(through: proxy, sizes: [20, 200, 20], tls: Self.tls(version)).recovering
            let outcome = await session.run()
            #expect(outcome.isComplete, "\(version) in pieces of \(piece): \(outcome)")
            #expect(proxy.accepted == 1)
            let lost = try await session.lost(outcome)
            #expect(lost.isEmpty)
        }
    }

    @Test func `leaves no descriptor and no memory`() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                let cycle = Atomic(0)
                try await ProcessMeasure.cycles(FaultBattery.cycles, lanes: 4) {
                    let place = cycle.wrappingAdd(17, ordering: .relaxed).newValue % 3000
                    let plan = FaultProxy.Plan(bytes: place, FaultBattery.ending(after: place))
                    try await FaultProxy.run(then: plan, to: TestBroker.tlsPort) { proxy in
                        let session = try FaultSession(through: proxy, sizes: [20], tls: TestBroker.tls)
                        let outcome = await session.run()
                        proxy.stop()
                        guard outcome.faults.isEmpty, try await session.lost(outcome).isEmpty else {
                            throw ConditionFailed(description: "\(plan) after \(place) bytes: \(outcome)")
                        }
                    }
                }
            }
        }
    }
}

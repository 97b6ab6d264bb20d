import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// For what a connection does with it from its login on, see the tests of that name that go with the broker's.
@Suite("renewing a secret that was given before", .timeLimit(.minutes(1)))
struct SecretRenewalTests {
    private let updateSecret = PeerMethod(10, 70)

    private final class Provider: Sendable {
        private let calls = Mutex(0)

        var callCount: Int { calls.withLock { $0 } }

        func call() { calls.withLock { $0 += 1 } }
    }

    /// What was logged in with: a secret that was good for so long, and is for so much longer.
    private func login(_ duration: Duration, left: Duration) throws -> Login {
        var login = try Login.plain(Secret("me"), Secret("secret 1"))
        login.validity = (MonotonicTime.now + left.nanoseconds, duration)
        return login
    }

    @Test func `what connecting took of a secret's time is taken into account`() async throws {
        let peer = try ScriptedPeer()
        let connection = try await peer.connect()
        let credentials = ConnectionConfiguration.Credentials.expiring {
            ExpiringSecret("secret 2", validFor: .seconds(1000))
        }
        SecretRenewal.start(
            on: connection.link,
            credentials: credentials,
            login: try login(.seconds(1000), left: .seconds(1))
        )
        var reader = try await peer.expect(updateSecret, channel: 0).fields
        #expect(reader.longString() == Array("secret 2".utf8))
        try await peer.send(.connectionUpdateSecretOk, channel: 0)
        peer.hangUp()
    }

    @Test func `a secret that does not end is not renewed, nor one that has much of its time left`() async throws {
        let peer = try ScriptedPeer()
        let (provider, endless) = (Provider(), Provider())
        let connection = try await peer.connect()
        SecretRenewal.start(
            on: connection.link,
            credentials: .expiring {
                provider.call()
                return ExpiringSecret("never needed", validFor: .seconds(1000))
            },
            login: try login(.seconds(1000), left: .seconds(900))
        )
        SecretRenewal.start(
            on: connection.link,
            credentials: .expiring {
                endless.call()
                return ExpiringSecret("the last", validFor: nil)
            },
            login: try login(.milliseconds(100), left: .zero)
        )
        try await peer.expect(updateSecret, channel: 0)
        try await peer.send(.connectionUpdateSecretOk, channel: 0)
        // Three times as long as the first was good for: a condition that must never come true.
        await #expect(throws: ConditionTimeout.self) {
            try await eventually("another call", within: .milliseconds(300)) {
                provider.callCount > 0 || endless.callCount > 1
            }
        }
        peer.hangUp()
    }

    @Test func `one that the broker does not answer in time is logged, and tried again`() async throws {
        let peer = try ScriptedPeer()
        let log = CapturedLog()
        let connection = try await peer.connect(configure: { configuration in
            configuration.logger = log.logger
            configuration.callTimeout = .milliseconds(100)
        })
        SecretRenewal.start(
            on: connection.link,
            credentials: .expiring { ExpiringSecret("hunter2", validFor: .seconds(1000)) },
            login: try login(.seconds(1), left: .zero)
        )
        for _ in 0..<2 { try await peer.expect(updateSecret, channel: 0) }
        let warnings = log.entries(containing: "was not renewed")
        #expect(!warnings.isEmpty, "\(log.entries)")
        #expect(warnings.contains { $0.description.contains("not answered within") })
        #expect(log.entries(containing: "hunter2").isEmpty)
        peer.hangUp()
    }
}

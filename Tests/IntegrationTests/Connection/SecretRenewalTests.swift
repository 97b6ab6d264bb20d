import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// What a provider of secrets and a broker can do to each other, with a peer that plays the broker.
@Suite("Renewing a secret")
struct SecretRenewalTests {
    private let updateSecret = PeerMethod(10, 70)

    private final class Provider: Sendable {
        let calls = Mutex(0)

        /// Which call this is, counted from 1.
        func call() -> Int {
            calls.withLock {
                $0 += 1
                return $0
            }
        }
    }

    @Test("sends the new one before the old one ends, and goes on")
    func renewals() async throws {
        let peer = try ScriptedPeer()
        let provider = Provider()
        let connection = try await peer.connect(configure: { configuration in
            configuration.credentials = .expiring {
                ExpiringSecret("secret \(provider.call())", username: "me", validFor: .milliseconds(400))
            }
        })
        for number in 2...4 {
            let frame = try await peer.expect(updateSecret, channel: 0)
            var reader = frame.fields
            #expect(reader.longString() == Array("secret \(number)".utf8))
            #expect(!reader.shortString().isEmpty)
            try await peer.send(.connectionUpdateSecretOk, channel: 0)
        }
        #expect(connection.closeReason == nil)
        peer.hangUp()
    }

    @Test("takes tokens as large as frames are")
    func largeTokens() async throws {
        let peer = try ScriptedPeer()
        let provider = Provider()
        let connection = try await peer.connect(configure: { configuration in
            configuration.credentials = .expiring {
                let token = String(repeating: "t", count: provider.call() * 60_000)
                return ExpiringSecret(token, validFor: .milliseconds(400))
            }
        })
        var reader = try await peer.expect(updateSecret, channel: 0).fields
        #expect(reader.longString().count == 120_000)
        try await peer.send(.connectionUpdateSecretOk, channel: 0)
        #expect(connection.closeReason == nil)
        peer.hangUp()
    }

    @Test("that fails is logged without the secret, and tried again")
    func failures() async throws {
        let peer = try ScriptedPeer()
        let provider = Provider()
        let log = CapturedLog()
        let connection = try await peer.connect(configure: { configuration in
            configuration.logger = log.logger
            configuration.credentials = .expiring {
                let call = provider.call()
                if (2...4).contains(call) { throw PeerError("the vault is shut, try \(call)") }
                return ExpiringSecret("hunter2", validFor: .milliseconds(500))
            }
        })
        _ = try await peer.expect(updateSecret, channel: 0)
        try await peer.send(.connectionUpdateSecretOk, channel: 0)
        let warnings = log.entries(containing: "was not renewed")
        #expect(warnings.count == 3, "\(log.entries)")
        #expect(warnings.allSatisfy { $0.description.contains("the vault is shut") })
        #expect(log.entries(containing: "hunter2").isEmpty)
        #expect(connection.closeReason == nil)
        peer.hangUp()
    }

    @Test("ends with the connection")
    func ends() async throws {
        let peer = try ScriptedPeer()
        let provider = Provider()
        let log = CapturedLog()
        let connection = try await peer.connect(configure: { configuration in
            configuration.logger = log.logger
            configuration.credentials = .expiring {
                _ = provider.call()
                return ExpiringSecret("secret", validFor: .milliseconds(300))
            }
        })
        _ = try await peer.expect(updateSecret, channel: 0)
        peer.hangUp()
        _ = try await connection.closed
        let calls = provider.calls.withLock { $0 }
        // Longer than any renewal waits: a condition that must never come true.
        await #expect(throws: ConditionTimeout.self) {
            try await eventually("another call", within: .seconds(1)) { provider.calls.withLock { $0 } > calls }
        }
        #expect(log.entries(containing: "was not renewed").isEmpty, "\(log.entries)")
    }

    @Test("does not keep a connection alive that nobody holds")
    func notHeld() async throws {
        let peer = try ScriptedPeer()
        var connection: Connection? = try await peer.connect(configure: { configuration in
            configuration.credentials = .expiring { ExpiringSecret("secret", validFor: .seconds(1000)) }
        })
        #expect(connection != nil)
        connection = nil
        _ = try await peer.expect(.connectionClose, channel: 0)
        peer.hangUp()
    }
}

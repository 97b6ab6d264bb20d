import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// Logs in with marked secrets at the level trace, lets all kinds of things go wrong, and looks at each line of the log,
/// every error, event and reason, in every form in which bytes may be written.
@Suite("Secrets when something goes wrong", .timeLimit(.minutes(2)))
struct SecretsInLogsTests {
    private static let password = "hunter2-password"
    private static let token = "hunter2-token"
    private static let updateSecret = PeerMethod(10, 70)

    /// What a connection says, from whatever side.
    private final class Heard: Sendable {
        let log = CapturedLog()
        private let others = Mutex<[String]>([])

        /// - Parameter value: Nothing that others change meanwhile: all of it is looked into.
        func note(_ value: Any) {
            var text = "\(value)\n" + String(reflecting: value) + "\n"
            dump(value, to: &text)
            others.withLock { $0.append(text) }
        }

        var everything: String {
            (log.entries.map(\.description) + others.withLock { $0 }).joined(separator: "\n")
        }
    }

    /// A secret as text, and as bytes are mostly shown: hexadecimal, numbers, base 64 of it alone and in PLAIN's answer.
    private static func forms(of secret: String) -> [String] {
        let bytes = Array(secret.utf8)
        let hexadecimal = bytes.map { String($0, radix: 16) }
        let answers = [bytes, Array("\0\(secret)".utf8), Array("\0me\0\(secret)".utf8), Array("\0\0\(secret)".utf8)]
        return [secret, hexadecimal.joined(), hexadecimal.joined(separator: " ")]
            + [bytes.map { "\($0)" }.joined(separator: ", ")]
            + answers.map { String(Data($0).base64EncodedString().prefix(16)) }
    }

    private func expectNoSecret(in heard: Heard) {
        let text = heard.everything
        let folded = text.lowercased()
        // It does look: something was said.
        #expect(!text.isEmpty)
        for secret in [Self.password, Self.token] {
            for form in Self.forms(of: secret) {
                #expect(!text.contains(form) && !folded.contains(form.lowercased()), "\(form) in \(text)")
            }
        }
    }

    private static func configure(_ configuration: inout ConnectionConfiguration, _ heard: Heard) {
        configuration.credentials = .plain(username: "me", password: password)
        configuration.logger = heard.log.logger
        // What was sent is told with the error.
        configuration.recordedFrames = 100
        configuration.callTimeout = .seconds(2)
    }

    @Test func `would be found in any of their forms`() {
        let heard = Heard()
        heard.note(Array("\0me\0\(Self.password)".utf8))
        heard.note(Data("\0me\0\(Self.password)".utf8).base64EncodedString())
        heard.note(Self.token.utf8.map { String($0, radix: 16, uppercase: true) }.joined())
        let text = heard.everything
        for form in [Self.forms(of: Self.password)[3], Self.forms(of: Self.password)[6]] {
            #expect(text.contains(form))
        }
        #expect(text.lowercased().contains(Self.forms(of: Self.token)[1]))
    }

    // MARK: Connecting

    /// What a broker does in the middle of a login.
    enum Trick: CaseIterable, Sendable {
        case hangsUp, refuses, offersOthers, breaksFrames, asksAgain, sendsStartTwice, tunesWrong, noVirtualHost,
            isSilent
    }

    private func play(_ trick: Trick, _ peer: ScriptedPeer) async throws {
        try await peer.expectProtocolHeader()
        if trick == .offersOthers {
            try await peer.sendStart(mechanisms: "SCRAM-SHA-256 GSSAPI")
            return
        }
        try await peer.sendStart(properties: ScriptedPeer.authenticationFailureClose)
        // It has the password now.
        try await peer.expect(.connectionStartOk, channel: 0)
        switch trick {
        case .hangsUp: peer.hangUp()
        case .refuses:
            let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."
            try await peer.sendClose(.connectionClose, channel: 0, code: 403, text: text)
        case .breaksFrames: try await peer.send([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 30, 0])
        case .asksAgain: try await peer.send(.connectionSecure, channel: 0) { $0.longString("once more") }
        case .sendsStartTwice: try await peer.sendStart()
        case .tunesWrong: try await peer.sendTune(.init(channelMax: 1, frameMax: 16))
        case .noVirtualHost:
            try await peer.sendTune()
            try await peer.expect(.connectionTuneOk, channel: 0)
            try await peer.expect(.connectionOpen, channel: 0)
            let text = "NOT_ALLOWED - vhost / not found"
            try await peer.sendClose(.connectionClose, channel: 0, code: 530, text: text)
        case .isSilent, .offersOthers: break
        }
    }

    @Test(arguments: Trick.allCases)
    func `are in nothing that a login which fails leaves behind`(trick: Trick) async throws {
        for isToken in [false, true] {
            let (heard, peer) = (Heard(), try ScriptedPeer())
            var configuration = peer.configuration
            Self.configure(&configuration, heard)
            configuration.connectTimeout = trick == .isSilent ? .seconds(2) : .seconds(10)
            if isToken {
                configuration.credentials = .expiring { ExpiringSecret(Self.token, validFor: .seconds(100)) }
            }
            async let failed = thrownError(within: .seconds(20)) { [configuration] in
                try await Connection.connect(configuration)
            }
            try await play(trick, peer)
            let error = try await failed
            heard.note(error)
            try await peer.expectEnd()
            try await eventually("the end is logged") { !heard.log.entries(containing: "connection ended").isEmpty }
            expectNoSecret(in: heard)
        }
    }

    @Test func `are in no error of endpoints none of which can be had, by a URI`() async throws {
        try await RudeListener.run(.refuses) { refusing in
            try await RudeListener.run(.closes) { closing in
                let heard = Heard()
                var configuration = try ConnectionConfiguration(
                    uri: "amqp://me:\(Self.password)@127.0.0.1:\(refusing.port)/v?connection_timeout=5000"
                )
                configuration.endpoints.append(.init(host: "127.0.0.1", port: closing.port))
                configuration.logger = heard.log.logger
                configuration.recovery = .none
                let error = try await thrownError(within: .seconds(20)) { [configuration] in
                    try await Connection.connect(configuration)
                }
                heard.note(error)
                expectNoSecret(in: heard)
            }
        }
    }

    // MARK: Afterwards

    @Test func `are in nothing that is said of outages, up to the last`() async throws {
        let (heard, listener) = (Heard(), try ScriptedListener())
        defer { listener.stop() }
        var configuration = listener.configuration
        Self.configure(&configuration, heard)
        let connecting = Task { [configuration] in
            try await Connection.connect(configuration, onClose: { heard.note($0) })
        }
        let first = try await listener.accept()
        try await first.handshake()
        let connection = try await connecting.value
        let events = connection.events
        let listening = Task { for await event in events { heard.note(event) } }
        first.hangUp()
        // The next one leaves in the middle of the login, and the one behind it does not know the user any more.
        let second = try await listener.accept()
        try await play(.hangsUp, second)
        let third = try await listener.accept()
        try await play(.refuses, third)
        let reason = try await within(.seconds(20), "the end") { try await connection.closed }
        try await within(.seconds(10), "the last event") { await listening.value }
        heard.note(reason)
        heard.note(connection.health)
        #expect(reason.error.code == .authenticationFailed, "\(reason)")
        expectNoSecret(in: heard)
        withExtendedLifetime((second, third)) {}
    }

    /// How a new token ends.
    enum Renewal: CaseIterable, Sendable {
        case isNotAnswered, isRefused, meetsTheEnd
    }

    @Test(arguments: Renewal.allCases)
    func `are in nothing that is said of a token that is not renewed`(renewal: Renewal) async throws {
        let (heard, peer) = (Heard(), try ScriptedPeer())
        let connection = try await peer.connect(configure: { configuration in
            Self.configure(&configuration, heard)
            configuration.callTimeout = .milliseconds(200)
            configuration.credentials = .expiring { ExpiringSecret(Self.token, validFor: .milliseconds(300)) }
        })
        try await peer.expect(Self.updateSecret, channel: 0)
        switch renewal {
        case .isNotAnswered:
            try await eventually("it is logged") { !heard.log.entries(containing: "was not renewed").isEmpty }
            peer.hangUp()
        case .isRefused:
            let text = "NOT_ALLOWED - New secret was refused by one of the backends"
            try await peer.sendClose(.connectionClose, channel: 0, code: 530, text: text)
        case .meetsTheEnd: peer.hangUp()
        }
        let reason = try await within(.seconds(10), "the end") { try await connection.closed }
        heard.note(reason)
        heard.note(reason.error.recording as Any)
        expectNoSecret(in: heard)
    }

    @Test func `are in no error of what is done on a connection that has ended`() async throws {
        let (heard, peer) = (Heard(), try ScriptedPeer())
        let connection = try await peer.connect(configure: { Self.configure(&$0, heard) })
        let channel = try await peer.openChannel(on: connection)
        let queue = try await peer.declareQueue(on: channel)
        try await peer.sendClose(.connectionClose, channel: 0, code: 541, text: "INTERNAL_ERROR")
        _ = try await within(.seconds(10), "the end") { try await connection.closed }
        let uses: [@Sendable () async throws -> Void] = [
            { _ = try await connection.openChannel() }, { try await channel.setQos(prefetchCount: 1) },
            { _ = try await queue.publish(Message("x")) }, { _ = try await queue.consume() },
            { _ = try await connection.openRPCClient() },
        ]
        for use in uses { heard.note(try await thrownError { try await use() }) }
        expectNoSecret(in: heard)
    }
}

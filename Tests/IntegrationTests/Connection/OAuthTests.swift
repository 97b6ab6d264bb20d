import Foundation
import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Tokens that the test signs (RFC 7519, HS256), and a broker of its own that takes nothing else.
@Suite("OAuth 2 tokens", .needsBrokerScript)
struct OAuthTests {
    private static let key = "746869732069732061207465737420736967"

    private static func base64URL(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// A token for everything.
    private static func token(until end: Date, key: String = key) async throws -> String {
        let header = #"{"alg":"HS256","typ":"JWT","kid":"test"}"#
        let claims =
            #"{"sub":"tester","aud":["rabbitmq"],"exp":\#(Int(end.timeIntervalSince1970)),"scope":["rabbitmq.configure:*/*","#
            + #""rabbitmq.write:*/*","rabbitmq.read:*/*"]}"#
        let content = base64URL(Data(header.utf8)) + "." + base64URL(Data(claims.utf8))
        let arguments = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:\(key)"]
        // `SHA2-256(stdin)= 01ab...`
        let output = try await Subprocess.run("/usr/bin/env", arguments, input: content)
        let hexadecimal = try #require(output.split(separator: " ").last).trimmingCharacters(
            in: .whitespacesAndNewlines
        )
        var signature = Data()
        for pair in stride(from: 0, to: hexadecimal.count, by: 2) {
            signature.append(try #require(UInt8(hexadecimal.dropFirst(pair).prefix(2), radix: 16)))
        }
        return content + "." + base64URL(signature)
    }

    /// Starts a broker whose only backend is OAuth 2, lends its configuration, and stops it.
    private static func withBroker(_ body: (ConnectionConfiguration) async throws -> Void) async throws {
        let broker = try OwnBroker(.oauth)
        let settings = "auth_backends.1 = rabbit_auth_backend_oauth2\nauth_oauth2.resource_server_id = rabbitmq\n"
        try await broker.run(plugins: ["rabbitmq_auth_backend_oauth2"], settings: settings) {
            let secret = base64URL(try #require(Data(hexadecimal: key)))
            let json = #"{"kty":"oct","alg":"HS256","k":"\#(secret)"}"#
            try await broker.rabbitmqctl("add_uaa_key", "test", "--json", json)
            var configuration = try await broker.configuration
            configuration.callTimeout = .seconds(10)
            configuration.recovery = .none
            try await body(configuration)
        }
    }

    @Test("let in, are renewed before they end, and are refused when they are bad or over", .timeLimit(.minutes(5)))
    func tokens() async throws {
        try await Self.withBroker { configuration in
            try await refusals(configuration)
            // Both at once: what happens to a connection that is told a new token, and to one that is not.
            async let notRenewed: Void = ended(configuration)
            try await renewed(configuration)
            try await notRenewed
        }
    }

    private func refusals(_ configuration: ConnectionConfiguration) async throws {
        var configuration = configuration
        let over = try await Self.token(until: Date(timeIntervalSinceNow: -10))
        let forged = try await Self.token(until: Date(timeIntervalSinceNow: 1000), key: "00112233")
        for token in [over, forged, "no token", ""] {
            configuration.credentials = .expiring { ExpiringSecret(token, validFor: .seconds(1000)) }
            let error = try await connectionError(configuration)
            #expect(error.code == .authenticationFailed, "\(error)")
            #expect(error.replyCode == .accessRefused, "\(error)")
            #expect(token.isEmpty || !"\(error)".contains(token))
        }
    }

    private func renewed(_ configuration: ConnectionConfiguration) async throws {
        let log = CapturedLog()
        let ends = Mutex<[Date]>([])
        var configuration = configuration
        configuration.logger = log.logger
        configuration.credentials = .expiring {
            let end = Date(timeIntervalSinceNow: 4)
            let token = try await Self.token(until: end)
            ends.withLock { $0.append(end) }
            return ExpiringSecret(token, validFor: .seconds(3))
        }
        try await Connection.withConnection(configuration) { connection in
            let first = try #require(ends.withLock { $0.first })
            try await eventually("the first token is over", within: .seconds(20)) { Date() > first + 2 }
            #expect(!log.entries(containing: "secret was renewed").isEmpty, "\(log.entries)")
            // A new channel asks for permissions anew.
            try await connection.withChannel { channel in
                let queue = try await channel.declareQueue(exclusive: true)
                try await channel.declareExchange("").publish(Message("hello"), routingKey: queue.name)
            }
            #expect(connection.closeReason == nil)
        }
        for text in log.entries.map(\.description) { #expect(!text.contains("eyJ"), "\(text)") }
    }

    private func ended(_ configuration: ConnectionConfiguration) async throws {
        var configuration = configuration
        let end = Date(timeIntervalSinceNow: 4)
        let token = try await Self.token(until: end)
        configuration.credentials = .plain(username: "", password: token)
        try await Connection.withConnection(configuration) { connection in
            guard try BrokerVersion(of: connection) < .v4_3 else {
                // 4.3 ends the connection with its token.
                try await eventually("the connection is over", within: .seconds(20)) { connection.closeReason != nil }
                let reason = try #require(connection.closeReason)
                #expect(reason.replyCode == .connectionForced, "\(reason)")
                #expect(reason.replyText?.contains("credential expired") == true, "\(reason)")
                #expect(Date() > end - 1)
                return
            }
            try await eventually("the token is over", within: .seconds(20)) { Date() > end + 2 }
            let channel = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) { _ = try await channel.declareQueue(exclusive: true) }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
        }
    }
}

extension Data {
    fileprivate init?(hexadecimal: String) {
        self.init()
        var rest = hexadecimal[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            append(byte)
            rest = rest.dropFirst(2)
        }
    }
}

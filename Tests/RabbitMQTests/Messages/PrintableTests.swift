import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a stranger's text", .timeLimit(.minutes(1)))
struct PrintableTests {
    @Test(
        arguments: [
            ("", ""), ("plain text, 100 %", "plain text, 100 %"), ("grün 日本 🐇", "grün 日本 🐇"),
            ("a\r\nERROR forged", "a\\r\\nERROR forged"), ("\u{1B}[2J\u{7}\u{7F}", "\\u{1B}[2J\\u{07}\\u{7F}"),
            ("tab\there\u{0}", "tab\\there\\0"), ("\u{202E}txt.exe\u{2066}", "\\u{202E}txt.exe\\u{2066}"),
            ("\u{200B}\u{FEFF}\u{2028}\u{2029}\u{85}", "\\u{200B}\\u{FEFF}\\u{2028}\\u{2029}\\u{0085}"),
            (String(amqpBytes: [0x61, 0xFF, 0xC3, 0x28]), "a\\xFF\\xC3("),
            (String(decoding: [0xEF, 0xB7, 0x90], as: UTF8.self), "\\u{FDD0}"),
        ]
    )
    func `is one line that shows what is in it`(text: String, shown: String) {
        #expect(text.printable() == shown)
        #expect(text.printable().printable() == shown)
    }

    @Test func `is cut where it is very long`() {
        for letter in ["a", "é", "\n", "\u{301}"] {
            let text = String(repeating: letter, count: 131_072)
            let shown = text.printable()
            #expect(shown.unicodeScalars.count <= 8 * Printable.length + 1)
            #expect(shown.hasSuffix("…"))
            #expect(text.printable(10).unicodeScalars.count <= 81)
        }
        let longest = String(repeating: "x", count: Printable.length)
        #expect(longest.printable() == longest)
        #expect((longest + "y").printable() == longest + "…")
    }

    @Test func `in an error is on one line, and stays as it came as the reply's text`() {
        let text = "NOT_FOUND\r\n\u{1B}[31mno queue \u{202E}'q'"
        let errors = [
            AMQPError(replyCode: 404, replyText: text, classID: 0, methodID: 0), AMQPError(.timedOut, text),
            AMQPError(.connectionLost, "x", underlying: AMQPError(.timedOut, text)),
        ]
        for error in errors {
            #expect(
                !(error.message + error.description).contains { $0.isNewline || $0 == "\u{1B}" || $0 == "\u{202E}" }
            )
        }
        #expect(errors[0].replyText == text)
        let long = AMQPError(.connectionLost, "x", underlying: Talkative())
        #expect(long.description.count < 2_000)
        #expect(RPCFailure("a\nb", String(repeating: "c\n", count: 5_000)).description.count < 1_000)
    }

    private struct Talkative: Error, CustomStringConvertible {
        var description: String { String(repeating: "la\n", count: 100_000) }
    }

    // MARK: Over the wire

    private static let evil = "a\nINFO forged\u{1B}[2J\u{202E}"

    private func isClean(_ log: CapturedLog) -> Bool {
        log.entries.allSatisfy { entry in
            !entry.description.contains { $0.isNewline || $0 == "\u{1B}" || $0 == "\u{202E}" }
                && entry.description.count < 3_000
        }
    }

    @Test func `a list of mechanisms as long as a frame`() async throws {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        let log = CapturedLog()
        var configuration = peer.configuration
        configuration.logger = log.logger
        async let connecting = thrownError { [configuration] in _ = try await Connection.connect(configuration) }
        try await peer.expectProtocolHeader()
        try await peer.sendStart(mechanisms: String(repeating: "A\n\u{1B}B ", count: 26_000))
        let error = try await connecting
        #expect(error.code == .authenticationFailed)
        #expect(error.message.count < 2_500)
        #expect(!error.message.contains("\n"))
        try await eventually("the end is logged") { !log.entries(containing: "connection ended").isEmpty }
        #expect(isClean(log), "\(log.entries)")
    }

    @Test func `why the broker blocks, and what ends a channel or the connection`() async throws {
        let log = CapturedLog()
        try await ScriptedPeer.withChannel {
            $0.logger = log.logger
            $0.publishTimeout = .milliseconds(20)
        } _: { peer, connection, channel in
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString(Self.evil) }
            try await eventually("it is blocked") { connection.blockedReason != nil }
            #expect(connection.blockedReason == Self.evil)
            let blocked = try await thrownError {
                try await channel.defaultExchange.publish(Message(body: []), routingKey: "k")
            }
            #expect(blocked.code == .blockedTooLong)
            #expect(blocked.message.contains("a\\nINFO forged\\u{1B}[2J\\u{202E}"))
            try await peer.sendClose(.channelClose, channel: 1, code: 406, text: Self.evil)
            try await peer.expect(.channelCloseOk)
            try await eventually("it is closed") { channel.closeReason != nil }
            #expect(channel.closeReason?.replyText == Self.evil)
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: Self.evil)
            let reason = try await connection.closed
            #expect(reason.replyText == Self.evil)
            #expect(!reason.description.contains("\n"))
        }
        // The end is logged when it is known.
        try await eventually("all three are logged") { log.entries.count >= 3 }
        #expect(isClean(log), "\(log.entries)")
    }

    @Test func `in a message that does not decode`() throws {
        let key = "k\n\u{1B}[2J" + String(repeating: "x", count: 1_000)
        let json: Message.JSON = [key: ["a"]]
        let error = try #require(
            #expect(throws: AMQPError.self) { try Message(json: json).decode([String: [Int]].self) }
        )
        #expect(!error.message.contains("\n") && error.message.count < 500, "\(error.message)")
        let encoding = #expect(throws: AMQPError.self) { try Message(body: [], contentEncoding: Self.evil).text() }
        #expect(encoding?.message.contains("\n") == false)
        #expect(!"\(Message(body: [], contentType: Self.evil))".contains("\n"))
    }
}

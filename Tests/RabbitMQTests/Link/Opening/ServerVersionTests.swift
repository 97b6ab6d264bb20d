import Testing

@testable import RabbitMQ

@Suite("A broker's version")
struct ServerVersionTests {
    @Test(
        "is read from what brokers say",
        arguments: [
            ("4.3.6", ServerVersion(4, 3, 6)), ("3.10.8", ServerVersion(3, 10, 8)),
            ("3.10.8+1", ServerVersion(3, 10, 8)),
            ("4.3.0-rc.1", ServerVersion(4, 3, 0, preRelease: ["rc", "1"])),
            ("4.0.0-beta.5+12.gabc-d", ServerVersion(4, 0, 0, preRelease: ["beta", "5"])), ("4.3", ServerVersion(4, 3)),
            ("0.0.0", ServerVersion(0, 0)), ("3.13.7-1-deb", ServerVersion(3, 13, 7, preRelease: ["1-deb"])),
        ]
    )
    func reads(text: String, version: ServerVersion) {
        #expect(ServerVersion(text) == version)
    }

    @Test(
        "is none in anything else",
        arguments: [
            "", "4", "four", "4.", ".4", "4..3", "4.3.6.1", "4.3.x", "v4.3.6", " 4.3.6", "4.3.6 ", "4.-3.6", "-4.3.6",
            "+4.3.6",
            "4.3.6-", "4.3.6-rc..1", "4.3.6-\u{1B}[31m", "4.3.6-é", "٤.٣.٦", "4.99999999999999999999.0", "4.3.6\n", "+",
            "-", ".", "\u{0}",
        ]
    )
    func refuses(text: String) {
        #expect(ServerVersion(text) == nil)
    }

    @Test("grows with its numbers, and a pre-release comes before its release")
    func order() throws {
        let ascending = try [
            "3.9.30", "3.10.8", "3.13.7", "4.0.0-alpha", "4.0.0-alpha.1", "4.0.0-beta.2", "4.0.0-beta.11", "4.0.0-rc.1",
            "4.0.0-rc.x", "4.0.0", "4.0.5", "4.3.0-rc.1", "4.3.0", "4.3.6", "4.10.0", "10.0.0",
        ].map { try #require(ServerVersion($0)) }
        for (left, right) in zip(ascending, ascending.dropFirst()) {
            #expect(left < right)
            #expect(!(right < left))
        }
        #expect(ascending.shuffled().sorted() == ascending)
    }

    @Test("a release candidate has what comes with its release")
    func features() throws {
        let candidate = try #require(ServerVersion("4.3.0-rc.1"))
        #expect(candidate.isAtLeast(4, 3))
        #expect(candidate < ServerVersion(4, 3))
        #expect(!candidate.isAtLeast(4, 3, 1))
        #expect(!ServerVersion(3, 10, 8).isAtLeast(3, 12))
        #expect(ServerVersion(4, 0).isAtLeast(3, 12))
    }

    @Test("is that of RabbitMQ, and of no other broker")
    func product() {
        #expect(ServerVersion(["product": "RabbitMQ", "version": "4.3.6"]) == ServerVersion(4, 3, 6))
        #expect(ServerVersion(["product": "LavinMQ", "version": "4.3.6"]) == nil)
        #expect(ServerVersion(["version": "4.3.6"]) == nil)
        #expect(ServerVersion(["product": "RabbitMQ"]) == nil)
        #expect(ServerVersion(["product": "RabbitMQ", "version": .int32(4)]) == nil)
        #expect(ServerVersion(["product": "RabbitMQ", "version": "unknown"]) == nil)
    }

    @Test("is read once for a connection, with what was agreed on", arguments: ["4.3.6", "unknown"])
    func parameters(text: String) {
        let parameters = ConnectionParameters(
            channelMax: 1,
            frameMax: 8192,
            heartbeat: 0,
            serverProperties: ["product": "RabbitMQ", "version": .string(text)]
        )
        #expect(parameters.version == ServerVersion(text))
    }

    @Test("is written as it is read", arguments: ["4.3.6", "4.3.0-rc.1", "3.10.8"])
    func text(text: String) {
        #expect(ServerVersion(text)?.description == text)
    }

    @Test(arguments: [("3.13.7", false), ("4.0.9", false), ("4.1.0", true), ("4.10.0", true), ("12.0.1", true)])
    func `frames are larger from 4.1 on`(text: String, isLater: Bool) {
        #expect(ServerVersion(text)?.takesLargerFrames == isLater)
    }
}

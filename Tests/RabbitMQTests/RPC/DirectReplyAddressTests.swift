import Foundation
import Testing

@testable import RabbitMQ

@Suite("Addresses for direct replies")
struct DirectReplyAddressTests {
    private static let prefix = "amq.rabbitmq.reply-to."

    private static func address(_ process: [UInt8]) -> String {
        prefix + Data(process).base64EncodedString() + ".key=="
    }

    private static func process(_ name: String, rest: Int = 12) -> [UInt8] {
        [131, 88, 118, 0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8](repeating: 1, count: rest)
    }

    @Test(
        "what RabbitMQ makes, what it ignores, and what is a queue's name",
        arguments: [
            "", "replies", "amq.rabbitmq.reply-to", prefix, prefix + "x", prefix + "a.b.c",
            prefix + "g1h2AA5yZXBseUA5MzU5ODQzNgAAassAAAAJawSjqA==.eMoPH9aJKyjbt2/ZoK4+CQ==",
            address(process("reply@123")),
            address([131, 103, 119, 3, 0x61, 0x40, 0x31] + [UInt8](repeating: 0, count: 9)),
        ]
    )
    func harmless(address: String) {
        #expect(DirectReplyAddress.isHarmless(address))
    }

    @Test(
        "what costs the connection",
        arguments: [
            prefix + "x.y", prefix + "####.k", prefix + "==.k", address([131]), address([131, 88]),
            address([131, 119, 3, 97, 98, 99]), address(process("reply@123", rest: 11)),
            address(process("reply@123", rest: 13)), address(process("reply@host")), address(process("reply@")),
            address(process("reply")), address([131, 88, 118, 255, 255, 64]), address([131, 88, 97, 1, 64, 49]),
        ]
    )
    func harmful(address: String) {
        #expect(!DirectReplyAddress.isHarmless(address))
    }

    @Test("one that is remembered stays what it is, and lets no other pass")
    func remembered() {
        let addresses = ReplyAddresses()
        let harmless = Self.prefix + "g1h2AA5yZXBseUA5MzU5ODQzNgAAassAAAAJawSjqA==.K"
        for _ in 0..<2 {
            #expect(addresses.isHarmless(harmless))
            #expect(!addresses.isHarmless(Self.prefix + "x.y"))
        }
        #expect(addresses.isHarmless("replies"))
        #expect(addresses.isHarmless("replies"))
        #expect(!addresses.isHarmless(Self.prefix + "x.y"))
    }

    @Test("danger: a harmful one that Swift takes for an equal text is harmful")
    func spelling() {
        let addresses = ReplyAddresses()
        let process = [131, 88, 118, 0, 3] + Array("a@1".utf8) + [UInt8](repeating: 0x28, count: 12)
        let harmless = Self.address(process)
        // Base64 has a letter K in it, which becomes the sign for Kelvin.
        let harmful = String(harmless.map { $0 == "K" ? "\u{212A}" : $0 })
        #expect(harmless == harmful && Array(harmless.utf8) != Array(harmful.utf8))
        #expect(addresses.isHarmless(harmless))
        #expect(!addresses.isHarmless(harmful))
    }
}

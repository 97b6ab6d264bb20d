import Foundation
import Testing

@testable import RabbitMQ

extension Trait where Self == ConditionTrait {
    /// Leaves the test out where the library has only the encodings of the small Foundation.
    static var needsTextEncodings: Self {
        #if TextEncodings
        .enabled("needs --traits TextEncodings") { true }
        #else
        .enabled("needs --traits TextEncodings") { false }
        #endif
    }
}

@Suite struct MessageTextTests {
    @Test func `text is UTF-8 by default`() throws {
        let message = try Message("grüße 🐇")
        #expect(message.body == Array("grüße 🐇".utf8))
        #expect(message.contentEncoding == "utf-8")
        #expect(message.contentType == "application/octet-stream")
        #expect(try message.text() == "grüße 🐇")
        #expect(try Message("", contentType: "text/plain").contentType == "text/plain")
    }

    @Test(
        arguments: [
            ("utf-8", "aé日🐇", Array("aé日🐇".utf8)), ("UTF8", "é", [0xC3, 0xA9]), ("Utf-8", "é", [0xC3, 0xA9]),
            ("utf-16be", "aé", [0, 0x61, 0, 0xE9]), ("UTF-16LE", "a🐇", [0x61, 0, 0x3D, 0xD8, 0x07, 0xDC]),
            ("iso-8859-1", "aé", [0x61, 0xE9]), ("latin1", "é", [0xE9]), ("latin-1", "é", [0xE9]),
            ("windows-1252", "€", [0x80]), ("cp1252", "€", [0x80]), ("us-ascii", "a", [0x61]), ("ascii", "a", [0x61]),
            ("windows-1252", "aÿ\u{A0}Ÿ", [0x61, 0xFF, 0xA0, 0x9F]), ("CP819", "é", [0xE9]),
            ("utf-32be", "é", [0, 0, 0, 0xE9]), ("utf-16be", "", []),
        ] as [(String, String, [UInt8])]
    )
    func `text goes through its encoding and back`(encoding: String, text: String, bytes: [UInt8]) throws {
        let message = try Message(text, contentEncoding: encoding)
        #expect(message.body == bytes)
        #expect(message.contentEncoding == encoding)
        #expect(try message.text() == text)
    }

    @Test(
        .needsTextEncodings,
        arguments: [
            ("shift_jis", "日本", [0x93, 0xFA, 0x96, 0x7B]), ("Shift_JIS", "日", [0x93, 0xFA]),
            ("sjis", "日", [0x93, 0xFA]), ("iso-2022-jp", "日", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42]),
            ("iso-8859-2", "Š", [0xA9]), ("windows-1250", "Š", [0x8A]), ("windows-1251", "Ж", [0xC6]),
            ("windows-1253", "Ω", [0xD9]), ("windows-1254", "ş", [0xFE]),
        ] as [(String, String, [UInt8])]
    )
    func `text goes through a rare encoding and back with the trait`(
        encoding: String,
        text: String,
        bytes: [UInt8]
    ) throws {
        let message = try Message(text, contentEncoding: encoding)
        #expect(message.body == bytes)
        #expect(try message.text() == text)
        #expect(throws: AMQPError.self) { try Message("🐇", contentEncoding: encoding) }
    }

    @Test(.needsTextEncodings) func `bytes that are not text in a rare encoding are an error`() {
        let message = Message(body: [0x93], contentEncoding: "shift_jis")
        #expect(throws: AMQPError.self) { try message.text() }
    }

    #if !TextEncodings
    @Test(arguments: ["shift_jis", "windows-1251"])
    func `a rare encoding names the trait that it needs`(encoding: String) {
        let error = #expect(throws: AMQPError.self) { try Message("a", contentEncoding: encoding) }
        #expect(error?.code == .encodingFailed)
        #expect(error?.message.contains("trait TextEncodings") == true)
    }
    #endif

    @Test func `windows-1252 is Foundation's`() {
        for byte in UInt8.min...UInt8.max {
            let text = String(bytes: [byte], encoding: .windowsCP1252)
            #expect(Windows1252.decode([byte]) == text)
            if let text { #expect(Windows1252.encode(text) == [byte]) }
        }
        for scalar in ["\u{80}", "\u{81}", "\u{9F}", "\u{100}", "日", "a🐇"] {
            #expect(Windows1252.encode(scalar) == nil)
        }
    }

    @Test(arguments: ["utf-16", "utf-32", "utf16"])
    func `encodings with a byte order mark come back`(encoding: String) throws {
        #expect(try Message("aé🐇", contentEncoding: encoding).text() == "aé🐇")
    }

    @Test func `UTF-16 without a byte order mark is big-endian`() throws {
        #expect(try Message(body: [0, 0x61], contentEncoding: "utf-16").text() == "a")
        #expect(try Message(body: [0xFF, 0xFE, 0x61, 0], contentEncoding: "utf-16").text() == "a")
    }

    @Test(
        arguments: [
            "", " ", "identity", "7bit", "8bit", "binary", "BINARY", " Binary\t", "Identity, utf-8", "utf-8 ", "none",
        ]
    )
    func `an encoding that leaves bytes as they are says nothing of the text, which is UTF-8`(encoding: String) throws {
        let bytes = Array("grüße 🐇".utf8)
        #expect(try Message(body: bytes, contentEncoding: encoding).text() == "grüße 🐇")
        let message = try Message("grüße 🐇", contentEncoding: encoding)
        #expect(message.body == bytes)
        #expect(message.contentEncoding == encoding)
        #expect(throws: AMQPError.self) { try Message(body: [0xFF], contentEncoding: encoding).text() }
    }

    @Test(
        arguments: [
            ("gzip", "gzip"), ("GZIP", "gzip"), (" x-gzip ", "x-gzip"), ("deflate", "deflate"), ("br", "br"),
            ("zstd", "zstd"), ("compress", "compress"), ("utf-8, gzip", "gzip"), ("gzip, identity", "gzip"),
            ("deflate,gzip", "gzip"), ("lz4", "lz4"), ("snappy", "snappy"),
        ]
    )
    func `a compressed body says what to do first`(encoding: String, name: String) {
        for body in [[0x1F, 0x8B], Array("1".utf8), []] as [[UInt8]] {
            let message = Message(body: body, contentEncoding: encoding)
            for read in [{ _ = try message.text() }, { _ = try message.json() }] {
                let error = #expect(throws: AMQPError.self) { try read() }
                #expect(error?.code == .decodingFailed)
                #expect(error?.message.contains("compressed with \(name): decompress the body first") == true)
            }
        }
        let error = #expect(throws: AMQPError.self) { try Message("a", contentEncoding: encoding) }
        #expect(error?.code == .encodingFailed)
        #expect(error?.message.contains("compressed with \(name)") == true)
    }

    @Test(arguments: ["base64", "quoted-printable"])
    func `a body in a transfer encoding says what to do first`(encoding: String) {
        let error = #expect(throws: AMQPError.self) { try Message(body: [97], contentEncoding: encoding).text() }
        #expect(error?.message.contains("encoded with \(encoding): decode the body first") == true)
    }

    @Test(arguments: ["nope", "utf-9", "latin1, utf-16", "macintosh"])
    func `an unknown encoding is an error both ways`(encoding: String) {
        let error = #expect(throws: AMQPError.self) { try Message("a", contentEncoding: encoding) }
        #expect(error?.code == .encodingFailed)
        let other = #expect(throws: AMQPError.self) { try Message(body: [97], contentEncoding: encoding).text() }
        #expect(other?.code == .decodingFailed)
        #expect(other?.message.contains("not a text encoding") == true)
    }

    @Test(arguments: [("latin1", "日"), ("us-ascii", "é"), ("windows-1252", "Ж")])
    func `text that the encoding lacks is an error`(encoding: String, text: String) {
        let error = #expect(throws: AMQPError.self) { try Message(text, contentEncoding: encoding) }
        #expect(error?.code == .encodingFailed)
        #expect(error?.message.contains(encoding) == true)
    }

    @Test(
        arguments: [
            (nil, [0xFF]), ("utf-8", [0xC3]), ("utf-8", [0xED, 0xA0, 0x80]), ("us-ascii", [0x80]),
            ("windows-1252", [0x81]),
            ("utf-16", [0]), ("utf-16le", [0x61, 0, 0x62]), ("utf-16be", [0xD8, 0, 0, 0x61]),
            ("utf-32", [0, 0, 0, 97, 0]),
        ] as [(String?, [UInt8])]
    )
    func `bytes that are not text in the encoding are an error`(encoding: String?, bytes: [UInt8]) {
        let error = #expect(throws: AMQPError.self) { try Message(body: bytes, contentEncoding: encoding).text() }
        #expect(error?.code == .decodingFailed)
    }

    @Test func `no encoding means UTF-8`() throws {
        #expect(try Message(body: Array("é".utf8)).text() == "é")
    }
}

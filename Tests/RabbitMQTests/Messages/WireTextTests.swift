import TestSupport
import Testing

@testable import RabbitMQ

@Suite("short strings as text")
struct WireTextTests {
    private func wire(_ bytes: [UInt8]) -> String { bytes.withUnsafeBufferPointer { String(wire: $0) } }

    static let awkward: [[UInt8]] = [
        [], [0], [0x7F], [0x80], [0xFF], [0xC3], [0xC3, 0x28], [0xC3, 0xA9], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
        [0xF0, 0x9F, 0x98, 0x80], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xEF, 0xBF, 0xBD], [0xEF, 0xB7, 0x90],
        [0xEF, 0xB7, 0x9F, 0xEF, 0xB7, 0xAF], [0xEF, 0xB7, 0xAF, 0xEF, 0xB7, 0x9F], [0xEF, 0xB7],
        [0xEF, 0xB7, 0x98, 0xEF, 0xB7], Array("Kelvin \u{212A}, e\u{301}".utf8), [UInt8](repeating: 0xFF, count: 255),
        Array("plain".utf8) + [0xFF] + Array("é".utf8) + [0xC3],
    ]

    @Test(arguments: awkward)
    func `become the same bytes again`(bytes: [UInt8]) {
        let text = wire(bytes)
        #expect(text.amqpBytes == bytes)
        #expect(WireText.count(text) == bytes.count)
        #expect(String(amqpBytes: bytes) == text)
    }

    @Test func `become the same bytes again, whatever the bytes are`() {
        var random = SplitMix(seed: 11)
        for round in 0..<20_000 {
            var bytes = random.bytes(upTo: 40)
            // What stands for bytes, cut and mixed.
            if round % 3 == 0 { bytes = bytes.map { [0xEF, 0xB7, 0x98, 0xAF, $0, 0xA0][Int($0) % 6] } }
            let text = wire(bytes)
            #expect(text.amqpBytes == bytes)
            // What was read from text that stands for bytes has its own.
            #expect(wire(Array(text.utf8)).amqpBytes == Array(text.utf8))
        }
    }

    @Test func `that are text are that text`() {
        for text in ["", "orders", "grün", "日本語", "😀", "\u{FFFD}", "a\u{0}b"] {
            #expect(wire(Array(text.utf8)) == text)
            #expect(text.amqpBytes == Array(text.utf8))
            #expect(WireText.count(text) == text.utf8.count)
        }
    }

    @Test func `that differ become texts that differ`() {
        let texts =
            Self.awkward.map(wire) + (0x80...0xFF).map { wire([$0, 1]) } + [wire([0xFF, 0xFE]), wire([0xFE, 0xFF])]
        #expect(Set(texts).count == texts.count)
    }

    @Test func `of the 255 bytes that fit are taken, and one more is not`() throws {
        try ShortString.validateProperty(wire([UInt8](repeating: 0xFF, count: 255)), name: "x")
        #expect { try ShortString.validateProperty(wire([UInt8](repeating: 0xFF, count: 256)), name: "x") } throws: {
            ($0 as? AMQPError)?.message.contains("256") == true
        }
        #expect(throws: AMQPError.self) {
            try ShortString.validateProperty(String(repeating: "é", count: 128), name: "x")
        }
        #expect { try ShortString.validateText(wire([0xFF]), name: "x") } throws: {
            AMQPError.Code.invalidArgument ~= $0
        }
        try ShortString.validateText("日本語" + String(decoding: [0xEF, 0xB7, 0x98], as: UTF8.self), name: "x")
    }

    @Test func `a text that is kept is not taken for the bytes that it stands for`() {
        let raw: [UInt8] = [0xFF, 0xFE, 0xFD, 0xFC]
        let escaped = Array(wire(raw).utf8)
        var cache = TextCache()
        for bytes in [escaped, Array("a text of sixteen".utf8), raw + raw + raw + raw, escaped, escaped, raw] {
            let text = bytes.withUnsafeBufferPointer { cache.text($0) }
            #expect(text.amqpBytes == bytes)
        }
        // The texts of both are as long in UTF-8.
        var other = TextCache()
        let first = Array(repeating: UInt8(0xFF), count: 16)
        let second = Array(wire(first).utf8)
        for bytes in [first, second, first] {
            #expect(bytes.withUnsafeBufferPointer { other.text($0) }.amqpBytes == bytes)
        }
    }

    @Test func `a byte that is not ASCII is found wherever it stands`() {
        for count in 0...40 {
            var bytes = [UInt8](repeating: 0x7F, count: count)
            #expect(bytes.withUnsafeBufferPointer { WireText.isASCII($0) })
            for index in 0..<count {
                bytes[index] = 0x80
                #expect(!bytes.withUnsafeBufferPointer { WireText.isASCII($0) })
                bytes[index] = 0x7F
            }
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("One header of those that came encoded")
struct HeaderSearchTests {
    /// Headers as they lie on the wire, whose decoding `coding` does.
    private func encoded(
        _ entries: [UInt8],
        isTooDeep: Bool = false,
        _ coding: any HeaderCoding.Type = HeaderSearch.self
    ) -> EncodedHeaders {
        var writer = PeerWriter()
        writer.block(entries)
        return EncodedHeaders(writer.bytes, isTooDeep: isTooDeep, coding)
    }

    private func entry(_ name: [UInt8], _ kind: Character, _ value: [UInt8]) -> [UInt8] {
        [UInt8(name.count)] + name + [kind.asciiValue ?? 0] + value
    }

    private func entry(_ name: String, _ kind: Character, _ value: [UInt8]) -> [UInt8] {
        entry(Array(name.utf8), kind, value)
    }

    private var everyKind: [UInt8] {
        var entries: [UInt8] = []
        entries += entry("bool", "t", [1])
        entries += entry("int8", "b", [0xFF])
        entries += entry("uint8", "B", [0xFF])
        entries += entry("int16", "s", [0xFF, 0xFE])
        entries += entry("uint16", "u", [0xFF, 0xFE])
        entries += entry("int32", "I", [0xFF, 0xFF, 0xFF, 0xFD])
        entries += entry("uint32", "i", [0xFF, 0xFF, 0xFF, 0xFD])
        entries += entry("int64", "l", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC])
        entries += entry("float", "f", [0x3F, 0x80, 0, 0])
        entries += entry("double", "d", [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])
        entries += entry("decimal", "D", [2, 0, 0, 1, 0])
        entries += entry("text", "S", [0, 0, 0, 2, 0x68, 0x69])
        entries += entry("no text", "S", [0, 0, 0, 2, 0xC3, 0x28])
        entries += entry("empty", "S", [0, 0, 0, 0])
        entries += entry("bytes", "x", [0, 0, 0, 1, 0x80])
        entries += entry("array", "A", [0, 0, 0, 2, 0x74, 1])
        entries += entry("table", "F", [0, 0, 0, 4, 1, 0x61, 0x74, 0])
        entries += entry("time", "T", [0, 0, 0, 0, 0, 0, 0, 9])
        entries += entry("void", "V", [])
        entries += entry("", "t", [0])
        return entries + entry(String(repeating: "k", count: 255), "I", [0, 0, 0, 1])
    }

    @Test func `is what it is in the table of all, of every kind`() {
        let table = encoded(everyKind).table
        #expect(table.count == 21)
        for (name, value) in table {
            #expect(encoded(everyKind, Undecoded.self).value(name) == value, "\(name)")
        }
    }

    @Test(arguments: ["boo", "booll", "BOOL", "k", "nothing", "\u{0}"])
    func `is nil under another name, and the others are not decoded for that`(name: String) {
        #expect(encoded(everyKind, Undecoded.self).value(name) == nil)
        #expect(encoded([], Undecoded.self).value(name) == nil)
    }

    @Test(arguments: ["bool", "int32", "int64", "text", "no text", "empty"])
    func `of a usual kind is found without decoding anything`(name: String) {
        #expect(encoded(everyKind, Undecoded.self).value(name) != nil)
    }

    @Test func `that comes twice is the last one`() {
        let entries = entry("a", "t", [1]) + entry("b", "t", [0]) + entry("a", "S", [0, 0, 0, 1, 0x78])
        #expect(encoded(entries).value("a") == "x")
        #expect(encoded(entries).table["a"] == "x")
    }

    /// Swift's texts are equal if their characters are: the Kelvin sign is a K.
    @Test func `is found by its characters, as in the table`() {
        let kelvin = entry("\u{212A}", "t", [1])
        #expect(encoded(kelvin).value("K") == true && encoded(kelvin).table["K"] == true)
        #expect(encoded(entry("K", "t", [1])).value("\u{212A}") == true)
        #expect(encoded(entry([0xFF], "t", [1]) + entry("a", "t", [0])).value("a") == false)
    }

    @Test func `that nests too deep is cut as in the table`() {
        var value: [UInt8] = [UInt8(ascii: "V")]
        for _ in 0..<40 {
            var writer = PeerWriter()
            writer.block(value)
            value = [UInt8(ascii: "A")] + writer.bytes
        }
        let entries = entry("deep", "A", Array(value.dropFirst())) + entry("flat", "t", [1])
        let headers = encoded(entries, isTooDeep: true)
        #expect(headers.value("flat") == true)
        let found = headers.value("deep")
        #expect(found != nil && found == headers.table["deep"])
    }

    @Test func `of a message is read from what came, from what was set, and from none`() {
        var message = Message(body: [], headers: ["a": 1, "b": "text"])
        #expect(message.header("a") == 1 && message.header("c") == nil)
        message.headers = nil
        #expect(message.header("a") == nil)
        message.messageID = "id"
        #expect(message.header("a") == nil)
    }

    /// Says that it would have to decode all of them.
    private enum Undecoded: HeaderCoding {
        static func table(_ bytes: [UInt8], isTooDeep: Bool) -> FieldTable {
            Issue.record("all headers were decoded")
            return [:]
        }

        static func search(_ bytes: [UInt8], for name: String, isTooDeep: Bool) -> FoundHeader {
            HeaderSearch.search(bytes, for: name, isTooDeep: isTooDeep)
        }
    }
}

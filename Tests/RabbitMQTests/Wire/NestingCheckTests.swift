import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the check of nesting before rabbitmq-c decodes")
struct NestingCheckTests {
    private func accepts(_ entries: [UInt8], before: [UInt8] = [], behind: [UInt8] = []) -> Bool {
        var writer = PeerWriter()
        writer.raw(before)
        writer.block(entries)
        writer.raw(behind)
        return writer.bytes.withUnsafeBytes { NestingCheck.accepts($0, tableAt: before.count) }
    }

    @Test(arguments: [true, false])
    func `32 levels pass and 33 don't`(inArrays: Bool) {
        #expect(accepts(deepEntries(levels: 0, inArrays: inArrays)))
        #expect(accepts(deepEntries(levels: 30, inArrays: inArrays)))
        #expect(accepts(deepEntries(levels: 31, inArrays: inArrays)))
        #expect(!accepts(deepEntries(levels: 32, inArrays: inArrays)))
        #expect(!accepts(deepEntries(levels: 1999, inArrays: inArrays)))
    }

    @Test(arguments: [true, false])
    func `what is too deep is told from what is malformed`(inArrays: Bool) {
        func verdict(_ levels: Int) -> NestingCheck.Verdict? {
            var writer = PeerWriter()
            writer.block(deepEntries(levels: levels, inArrays: inArrays))
            return writer.bytes.withUnsafeBytes { NestingCheck.verdict($0, tableAt: 0) }
        }
        #expect(verdict(31)?.isTooDeep == false)
        for levels in [31, 32, 1999] { #expect(verdict(levels)?.isSendable == true) }
        for levels in [32, 1999] { #expect(verdict(levels)?.isTooDeep == true) }
    }

    @Test func `every kind of value passes, wherever the table stands`() {
        let values: [(Character, [UInt8])] = [
            ("V", []), ("t", [1]), ("b", [1]), ("B", [1]), ("s", [1, 2]), ("u", [1, 2]), ("I", [1, 2, 3, 4]),
            ("i", [1, 2, 3, 4]), ("f", [1, 2, 3, 4]), ("D", [1, 2, 3, 4, 5]), ("l", [1, 2, 3, 4, 5, 6, 7, 8]),
            ("L", [1, 2, 3, 4, 5, 6, 7, 8]), ("d", [1, 2, 3, 4, 5, 6, 7, 8]), ("T", [1, 2, 3, 4, 5, 6, 7, 8]),
            ("S", [0, 0, 0, 2, 65, 66]), ("x", [0, 0, 0, 0]), ("A", [0, 0, 0, 1, UInt8(ascii: "V")]),
            ("F", [0, 0, 0, 0]),
        ]
        var all: [UInt8] = []
        for (kind, bytes) in values {
            let entry = [2, 65, 66, kind.asciiValue ?? 0] + bytes
            #expect(accepts(entry))
            #expect(accepts(entry, before: [9, 9, 9], behind: [7, 7]))
            if !bytes.isEmpty { #expect(!accepts(Array(entry.dropLast()))) }
            all += entry
        }
        #expect(accepts(all))
        #expect(accepts([]))
    }

    @Test(
        arguments: [
            [1], [5, 65], [1, 65], [0], [1, 65, 0], [1, 65, UInt8(ascii: "q"), 1],
            [1, 65, UInt8(ascii: "S"), 0, 0, 0, 9, 1], [1, 65, UInt8(ascii: "S"), 0xFF, 0xFF, 0xFF, 0xFF],
            [1, 65, UInt8(ascii: "F"), 0, 0, 0, 1], [1, 65, UInt8(ascii: "A"), 0, 0],
            [1, 65, UInt8(ascii: "F"), 0, 0, 0, 2, 1, 65, UInt8(ascii: "V")],
            [255] + [UInt8](repeating: 65, count: 200),
        ] as [[UInt8]]
    )
    func `lengths that don't fit in each other are refused`(entries: [UInt8]) {
        #expect(!accepts(entries))
    }

    @Test func `a table that is longer than what holds it is refused`() {
        for bytes in [[], [0], [0, 0, 0], [0, 0, 0, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0]] as [[UInt8]] {
            #expect(!bytes.withUnsafeBytes { NestingCheck.accepts($0, tableAt: 0) })
        }
        #expect(![0, 0, 0, 0].withUnsafeBytes { NestingCheck.accepts($0, tableAt: 400) })
    }

    @Test func `whatever comes, nothing traps`() {
        var random = SplitMix(seed: 2)
        let letters = Array("FASxVtIlD".utf8)
        for _ in 0..<20_000 {
            var bytes = random.bytes(upTo: 60)
            // Make it likely to be nearly right.
            for index in bytes.indices where Int.random(in: 0..<3, using: &random) > 0 {
                bytes[index] =
                    Bool.random(using: &random) ? letters.randomElement(using: &random) ?? 0 : bytes[index] % 6
            }
            _ = accepts(bytes)
            _ = bytes.withUnsafeBytes { NestingCheck.accepts($0, tableAt: Int.random(in: 0...70, using: &random)) }
        }
    }
}

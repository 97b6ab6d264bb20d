import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a table that nests too deep, and is cut")
struct NestingCutTests {
    private func table(_ entries: [UInt8]) -> [UInt8] {
        var writer = PeerWriter()
        writer.block(entries)
        return writer.bytes
    }

    private func accepts(_ table: [UInt8]) -> Bool {
        table.withUnsafeBytes { NestingCheck.accepts($0, tableAt: 0) }
    }

    @Test(arguments: [true, false])
    func `has 32 levels`(inArrays: Bool) {
        let deepest = table(deepEntries(levels: 31, inArrays: inArrays))
        #expect(NestingCut.cut(deepest) == deepest)
        for levels in [32, 33, 1999] {
            #expect(NestingCut.cut(table(deepEntries(levels: levels, inArrays: inArrays))) == deepest)
        }
    }

    @Test func `has all that is not too deep, before it and behind it`() {
        let deep = deepEntries(levels: 500, inArrays: false)
        let text: [UInt8] = [1, 0x61, UInt8(ascii: "S"), 0, 0, 0, 2, 0x68, 0x69]
        let array: [UInt8] = [1, 0x62, UInt8(ascii: "A"), 0, 0, 0, 5, UInt8(ascii: "I"), 0, 0, 0, 7]
        let cut = NestingCut.cut(table(text + deep + array))
        #expect(accepts(cut))
        let read = FieldTable(encoded: cut)
        #expect(read["a"] == .string("hi"))
        #expect(read["b"] == .array([.int32(7)]))
        #expect(read["k"]?.tableValue?.isEmpty == false)
        #expect(NestingCut.cut(table([])) == table([]))
    }

    @Test func `can be decoded whatever came, as long as that was well formed`() {
        var random = SplitMix(seed: 31)
        func entries(_ level: Int, inTable: Bool) -> [UInt8] {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: level < 4 ? 0...3 : 1...1, using: &random) {
                if inTable { bytes += [1, 0x6B] }
                let isDeeper = random.chance(0.95)
                guard level < 60, isDeeper else {
                    bytes += [UInt8(ascii: "t"), 1]
                    continue
                }
                let isTable = Bool.random(using: &random)
                bytes.append(UInt8(ascii: isTable ? "F" : "A"))
                bytes += table(entries(level + 1, inTable: isTable))
            }
            return bytes
        }
        for _ in 0..<500 {
            let whole = table(entries(1, inTable: true))
            let verdict = whole.withUnsafeBytes { NestingCheck.verdict($0, tableAt: 0) }
            let cut = NestingCut.cut(whole)
            #expect(verdict != nil && accepts(cut))
            if verdict?.isTooDeep == false { #expect(cut == whole) }
        }
    }
}

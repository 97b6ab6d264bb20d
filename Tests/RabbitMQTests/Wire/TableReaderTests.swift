import CRabbitMQ
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("field tables from the wire")
struct TableReaderTests {
    private func read(_ bytes: [UInt8]) -> FieldTable? {
        bytes.withUnsafeBytes { bytes -> FieldTable? in
            var reader = TableReader(bytes)
            return reader.table()
        }
    }

    /// What rabbitmq-c makes of a table; nil if it can't.
    private func reference(_ bytes: [UInt8]) -> FieldTable? {
        let pool = Pool()
        return withExtendedLifetime(pool) {
            bytes.withUnsafeBytes { bytes -> FieldTable? in
                let encoded = amqp_bytes_t(
                    len: bytes.count,
                    bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                )
                var (table, offset) = (amqp_table_t(), 0)
                guard amqp_decode_table(encoded, pool.pointer, &table, &offset) >= 0 else { return nil }
                return FieldTable(table)
            }
        }
    }

    private func encoded(_ table: FieldTable) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 100_000)
        let count = bytes.withUnsafeMutableBytes { memory -> Int in
            guard let base = memory.baseAddress else { return 0 }
            var writer = FieldWriter(base, space: memory.count)
            writer.put(table)
            return writer.count
        }
        return Array(bytes.prefix(count))
    }

    private func block(_ entries: [UInt8]) -> [UInt8] {
        var writer = PeerWriter()
        writer.block(entries)
        return writer.bytes
    }

    @Test func `tables at random are read as rabbitmq-c reads them`() throws {
        var random = SplitMix(seed: 31)
        for _ in 0..<500 {
            let table = random.table(depth: 5)
            let bytes = encoded(table)
            #expect(read(bytes) == table)
            #expect(reference(bytes) == table)
        }
    }

    @Test func `what no encoder of ours writes is read as rabbitmq-c reads it`() {
        let (text, void) = (UInt8(ascii: "S"), UInt8(ascii: "V"))
        let all: [[UInt8]] = [
            [], [0, void], [1, 0x6B, UInt8(ascii: "t"), 7], [1, 0xFF, text, 0, 0, 0, 2, 0xC3, 0x28],
            [1, 0x6B, void, 1, 0x6B, text, 0, 0, 0, 1, 0x41], [3, 0xEF, 0xB7, 0x98, void],
            [1, 0x6B, UInt8(ascii: "A"), 0, 0, 0, 0], [1, 0x6B, UInt8(ascii: "F"), 0, 0, 0, 0],
        ]
        for entries in all {
            let expected = reference(block(entries))
            #expect(expected != nil)
            #expect(read(block(entries)) == expected)
        }
    }

    @Test func `a number that isn't finite stays one`() throws {
        let bytes = block([1, 0x6B, UInt8(ascii: "f"), 0x7F, 0xC0, 0, 0])
        let number = try #require(read(bytes)?["k"]?.doubleValue)
        #expect(number.isNaN)
    }

    @Test(arguments: [true, false])
    func `danger: 32 levels are read, and no more`(inArrays: Bool) {
        #expect(read(block(deepEntries(levels: 31, inArrays: inArrays))) != nil)
        #expect(read(block(deepEntries(levels: 32, inArrays: inArrays))) == nil)
        #expect(read(block(deepEntries(levels: 1999, inArrays: inArrays))) == nil)
    }

    @Test func `danger: a table that is cut anywhere is none, and nothing is read behind it`() {
        var random = SplitMix(seed: 32)
        let table = random.table(depth: 4)
        let bytes = encoded(table)
        for count in 0..<bytes.count { #expect(read(Array(bytes.prefix(count))) == nil) }
    }

    @Test func `whatever comes, what the check of nesting accepts is read, and nothing else traps`() {
        var random = SplitMix(seed: 33)
        let letters = Array("FASxVtIlD".utf8)
        for _ in 0..<20_000 {
            var bytes = random.bytes(upTo: 60)
            // Make it likely to be nearly right.
            for index in bytes.indices where Int.random(in: 0..<3, using: &random) > 0 {
                bytes[index] =
                    Bool.random(using: &random) ? letters.randomElement(using: &random) ?? 0 : bytes[index] % 6
            }
            let isAccepted = bytes.withUnsafeBytes { NestingCheck.accepts($0, tableAt: 0) }
            let isRead = read(bytes) != nil
            #expect(isRead == isAccepted)
        }
    }
}

import Foundation
import Testing

@testable import RabbitMQ

@Suite("tables of Swift's own types")
struct FieldValueConvertibleTests {
    @Test func `are made of variables, and read back as what they were`() {
        let (text, number, flag, share) = ("a", 7, true, 0.5)
        let (date, bytes, nothing) = (Date(timeIntervalSince1970: 1_700_000_000), [UInt8]([1, 2]), String?.none)
        let nested: [String: [Int]] = ["a": [1, 2]]
        var table = FieldTable([
            "text": text, "number": number, "flag": flag, "share": share, "date": date, "bytes": bytes,
            "nothing": nothing, "nested": nested, "small": Int32(3), "large": UInt64.max, "value": FieldValue.int8(1),
        ])
        #expect(table["number"] == .int64(7) && table["small"] == .int32(3) && table["nothing"] == .void)
        #expect(table["text", as: String.self] == text && table["number", as: Int.self] == number)
        #expect(table["flag", as: Bool.self] == flag && table["share", as: Double.self] == share)
        #expect(table["date", as: Date.self] == date && table["bytes", as: [UInt8].self] == bytes)
        #expect(table["nested", as: [String: [Int]].self] == nested)
        #expect(table["large", as: UInt64.self] == .max && table["value", as: Int.self] == 1)
        table["number", as: Int.self] = 8
        table["text", as: String.self] = nil
        #expect(table["number"] == .int64(8) && table["text"] == nil)
    }

    @Test func `give nil for what is absent, of another type, or out of range`() {
        let table: FieldTable = ["text": "a", "number": 300, "mixed": [1, "a"], "negative": -1]
        #expect(table["other", as: Int.self] == nil)
        #expect(table["text", as: Int.self] == nil && table["number", as: String.self] == nil)
        #expect(table["number", as: UInt8.self] == nil && table["negative", as: UInt64.self] == nil)
        #expect(table["mixed", as: [Int].self] == nil)
        #expect(table["number", as: Double.self] == 300)
    }
}

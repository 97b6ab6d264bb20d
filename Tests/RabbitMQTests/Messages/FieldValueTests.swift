import Foundation
import Testing

@testable import RabbitMQ

@Suite struct FieldValueTests {
    @Test func `literals make the common types`() {
        let table: FieldTable = [
            "nil": nil, "bool": true, "int": 1, "big": 9_223_372_036_854_775_807, "double": 1.5, "string": "text",
            "interpolated": "a\(1)", "array": [1, "two", [3]], "table": ["key": false],
        ]
        #expect(
            table == [
                "nil": .void, "bool": .bool(true), "int": .int64(1), "big": .int64(.max), "double": .double(1.5),
                "string": .string("text"), "interpolated": .string("a1"),
                "array": .array([.int64(1), .string("two"), .array([.int64(3)])]),
                "table": .table(["key": .bool(false)]),
            ]
        )
    }

    @Test func `a table in JSON is read as it was written`() throws {
        let table: FieldTable = [
            "nothing": .void, "bool": true, "plain": 1, "byte": .uint8(1), "long": .uint64(.max), "double": .double(1),
            "decimal": .decimal(scale: 2, unscaled: 314), "bytes": .bytes([0, 255]), "time": .timestamp(1_700_000_000),
            "array": [1, "two", .array([.int32(3)])], "table": ["$int8": 1],
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(try JSONDecoder().decode(FieldTable.self, from: encoder.encode(table)) == table)
        let text = String(decoding: try encoder.encode(["a": 5, "b": .int32(5)] as FieldTable), as: UTF8.self)
        #expect(text == #"{"a":5,"b":{"$int32":5}}"#)
    }

    @Test func `of a key twice in a literal, the last value counts`() {
        let value: FieldValue = ["a": 1, "b": 2, "a": 3]
        #expect(value == .table(["a": 3, "b": 2]))
    }

    @Test(
        arguments: [
            (.int8(-128), -128), (.uint8(255), 255), (.int16(-32768), -32768), (.uint16(65535), 65535),
            (.int32(.min), -2_147_483_648), (.uint32(.max), 4_294_967_295), (.int64(.min), .min),
            (.uint64(9_223_372_036_854_775_807), .max), (.uint64(9_223_372_036_854_775_808), nil), (.double(1), nil),
            (.string("1"), nil), (.timestamp(1), nil), (.bool(true), nil), (.void, nil),
        ] as [(FieldValue, Int?)]
    )
    func `intValue takes every integer that fits`(value: FieldValue, expected: Int?) {
        #expect(value.intValue == expected)
    }

    @Test func `doubleValue takes floats, doubles and decimals`() {
        #expect(FieldValue.float(1.5).doubleValue == 1.5)
        #expect(FieldValue.double(-2.25).doubleValue == -2.25)
        #expect(FieldValue.decimal(scale: 2, unscaled: -314).doubleValue == -3.14)
        #expect(FieldValue.decimal(scale: 255, unscaled: .max).doubleValue?.isFinite == true)
        #expect(FieldValue.int64(1).doubleValue == nil)
    }

    @Test func `the accessors answer only for their type`() {
        #expect(FieldValue.string("a").stringValue == "a")
        #expect(FieldValue.bytes([97]).stringValue == nil)
        #expect(FieldValue.bytes([1, 2]).bytesValue == [1, 2])
        #expect(FieldValue.string("é").bytesValue == [0xC3, 0xA9])
        #expect(FieldValue.void.bytesValue == nil)
        #expect(FieldValue.bool(true).boolValue == true)
        #expect(FieldValue.int8(1).boolValue == nil)
        #expect(FieldValue.array([1]).arrayValue == [1])
        #expect(FieldValue.table([:]).arrayValue == nil)
        #expect(FieldValue.table(["a": 1]).tableValue == ["a": 1])
        #expect(FieldValue.array([]).tableValue == nil)
        #expect(FieldValue.timestamp(60).dateValue == Date(timeIntervalSince1970: 60))
        #expect(FieldValue.int64(60).dateValue == nil)
    }

    @Test(
        arguments: [
            (0, 0), (1.999, 1), (-1, 0), (-0.5, 0), (.nan, 0), (.infinity, .max), (-.infinity, 0), (1e300, .max),
            (1_700_000_000.25, 1_700_000_000),
        ] as [(Double, UInt64)]
    )
    func `a date becomes whole seconds, or the nearest that there is`(seconds: Double, expected: UInt64) {
        #expect(FieldValue.date(Date(timeIntervalSince1970: seconds)) == .timestamp(expected))
    }

    @Test func `the largest timestamp has a date`() {
        #expect(FieldValue.timestamp(.max).dateValue?.timeIntervalSince1970.isFinite == true)
    }

    @Test func `equality looks at type and content, and NaN equals nothing`() {
        #expect(FieldValue.int32(1) != .int64(1))
        #expect(FieldValue.string("a") != .bytes([97]))
        #expect(FieldValue.double(.nan) != .double(.nan))
        #expect(FieldValue.double(0) == .double(-0.0))
        #expect(FieldValue.double(0).hashValue == FieldValue.double(-0.0).hashValue)
        #expect(Set<FieldValue>([1, 1, "1", 1.0]).count == 3)
    }
}

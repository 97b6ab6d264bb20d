#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension FieldValue {
    /// Makes a ``timestamp(_:)`` of the whole seconds of `date`.
    ///
    /// A date before 1970 becomes the start of 1970, one that is not a number too, and one beyond the largest
    /// timestamp becomes that.
    public static func date(_ date: Date) -> FieldValue {
        .timestamp(AMQPTimestamp.seconds(of: date))
    }

    /// The text of a ``string(_:)``; nil for every other type.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The number of any of the integer types; nil if it does not fit an `Int`, or for every other type.
    public var intValue: Int? {
        switch self {
        case .int8(let value): Int(value)
        case .uint8(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int32(let value): Int(exactly: value)
        case .uint32(let value): Int(exactly: value)
        case .int64(let value): Int(exactly: value)
        case .uint64(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value of a ``bool(_:)``; nil for every other type.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The number of a ``float(_:)``, a ``double(_:)`` or, rounded, a ``decimal(scale:unscaled:)``; nil for every other
    /// type.
    public var doubleValue: Double? {
        switch self {
        case .float(let value): Double(value)
        case .double(let value): value
        case .decimal(let scale, let unscaled): Double(unscaled) / pow(10, Double(scale))
        default: nil
        }
    }

    /// The content of a ``table(_:)``; nil for every other type.
    public var tableValue: FieldTable? {
        if case .table(let value) = self { value } else { nil }
    }

    /// The elements of an ``array(_:)``; nil for every other type.
    public var arrayValue: [FieldValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The bytes of a ``bytes(_:)``, or the UTF-8 of a ``string(_:)``; nil for every other type.
    public var bytesValue: [UInt8]? {
        switch self {
        case .bytes(let value): value
        case .string(let value): Array(value.utf8)
        default: nil
        }
    }

    /// The point in time of a ``timestamp(_:)``; nil for every other type.
    public var dateValue: Date? {
        if case .timestamp(let value) = self { AMQPTimestamp.date(ofSeconds: value) } else { nil }
    }
}

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type of Swift's that field tables can hold: `Int` and the other integers, `Double`, `Float`, `Bool`, `String`, `Date`,
/// `[UInt8]`, and arrays, dictionaries and optionals of these.
///
/// ```swift
/// let headers = FieldTable(["customer": customer, "tries": 1, "since": Date.now])
/// let tries = message.headers?["tries", as: Int.self]
/// ```
public protocol FieldValueConvertible {
    /// Makes one of a value in a table; nil if that is of another type, or out of range.
    init?(_ value: FieldValue)

    /// The value in a table.
    var fieldValue: FieldValue { get }
}

extension Dictionary where Key == String, Value == FieldValue {
    /// Makes a table of values of Swift's own types.
    ///
    /// - Parameter values: The values. Of a key that is there twice, the last counts.
    public init(_ values: KeyValuePairs<String, any FieldValueConvertible>) {
        self.init(values.map { ($0.key, $0.value.fieldValue) }) { _, last in last }
    }

    /// A value as one of Swift's own types: nil if there is none, or it can't be one. Setting nil removes it.
    public subscript<T: FieldValueConvertible>(key: String, as type: T.Type) -> T? {
        get { self[key].flatMap { T($0) } }
        set { self[key] = newValue?.fieldValue }
    }
}

extension FieldValue: FieldValueConvertible {
    /// The value itself.
    public init?(_ value: FieldValue) { self = value }

    /// The value itself.
    public var fieldValue: FieldValue { self }
}

extension FieldValueConvertible where Self: BinaryInteger {
    /// Makes one of an integer of any size.
    public init?(_ value: FieldValue) {
        switch value {
        case .int8(let number): self.init(exactly: number)
        case .uint8(let number): self.init(exactly: number)
        case .int16(let number): self.init(exactly: number)
        case .uint16(let number): self.init(exactly: number)
        case .int32(let number): self.init(exactly: number)
        case .uint32(let number): self.init(exactly: number)
        case .int64(let number): self.init(exactly: number)
        case .uint64(let number): self.init(exactly: number)
        default: return nil
        }
    }

    /// An ``FieldValue/int32(_:)`` or ``FieldValue/int16(_:)`` of a number of that type. Of any other an ``FieldValue/int64(_:)``,
    /// which all brokers and clients read, and a ``FieldValue/uint64(_:)`` if it does not fit one.
    public var fieldValue: FieldValue {
        switch self {
        case let number as Int32: .int32(number)
        case let number as Int16: .int16(number)
        default: Int64(exactly: self).map { .int64($0) } ?? .uint64(UInt64(clamping: self))
        }
    }
}

extension Int: FieldValueConvertible {}
extension Int64: FieldValueConvertible {}
extension Int32: FieldValueConvertible {}
extension Int16: FieldValueConvertible {}
extension UInt64: FieldValueConvertible {}
extension UInt32: FieldValueConvertible {}
// An array of these is a ``FieldValue/bytes(_:)``.
extension UInt8: FieldValueConvertible {}

extension FieldValueConvertible where Self: BinaryFloatingPoint {
    /// Makes one of a floating-point or decimal number, or of an integer.
    public init?(_ value: FieldValue) {
        guard let number = value.doubleValue ?? value.intValue.map(Double.init) else { return nil }
        self.init(number)
    }
}

extension Double: FieldValueConvertible {
    /// A ``FieldValue/double(_:)``.
    public var fieldValue: FieldValue { .double(self) }
}

extension Float: FieldValueConvertible {
    /// A ``FieldValue/float(_:)``.
    public var fieldValue: FieldValue { .float(self) }
}

extension Bool: FieldValueConvertible {
    /// Makes one of a ``FieldValue/bool(_:)``.
    public init?(_ value: FieldValue) {
        guard let bool = value.boolValue else { return nil }
        self = bool
    }

    /// A ``FieldValue/bool(_:)``.
    public var fieldValue: FieldValue { .bool(self) }
}

extension String: FieldValueConvertible {
    /// Makes one of a ``FieldValue/string(_:)``.
    public init?(_ value: FieldValue) {
        guard let text = value.stringValue else { return nil }
        self = text
    }

    /// A ``FieldValue/string(_:)``.
    public var fieldValue: FieldValue { .string(self) }
}

extension Date: FieldValueConvertible {
    /// Makes one of a ``FieldValue/timestamp(_:)``.
    public init?(_ value: FieldValue) {
        guard let date = value.dateValue else { return nil }
        self = date
    }

    /// A ``FieldValue/timestamp(_:)``, in whole seconds.
    public var fieldValue: FieldValue { .date(self) }
}

extension Array: FieldValueConvertible where Element: FieldValueConvertible {
    /// Makes one of a ``FieldValue/array(_:)`` all of whose elements can be converted; `[UInt8]` of
    /// ``FieldValue/bytes(_:)``, and of the UTF-8 of a ``FieldValue/string(_:)``, too.
    public init?(_ value: FieldValue) {
        if Element.self == UInt8.self, let bytes = value.bytesValue as? [Element] {
            self = bytes
            return
        }
        guard let values = value.arrayValue else { return nil }
        var elements: [Element] = []
        for value in values {
            guard let element = Element(value) else { return nil }
            elements.append(element)
        }
        self = elements
    }

    /// A ``FieldValue/array(_:)``; of bytes a ``FieldValue/bytes(_:)``.
    public var fieldValue: FieldValue {
        if let bytes = self as? [UInt8] { return .bytes(bytes) }
        return .array(map(\.fieldValue))
    }
}

extension Dictionary: FieldValueConvertible where Key == String, Value: FieldValueConvertible {
    /// Makes one of a ``FieldValue/table(_:)`` all of whose values can be converted.
    public init?(_ value: FieldValue) {
        guard let table = value.tableValue else { return nil }
        self.init()
        for (key, value) in table {
            guard let converted = Value(value) else { return nil }
            self[key] = converted
        }
    }

    /// A ``FieldValue/table(_:)``.
    public var fieldValue: FieldValue { .table(mapValues(\.fieldValue)) }
}

extension Optional: FieldValueConvertible where Wrapped: FieldValueConvertible {
    /// Makes nil of a ``FieldValue/void``.
    public init?(_ value: FieldValue) {
        if value == .void {
            self = .none
        } else {
            guard let wrapped = Wrapped(value) else { return nil }
            self = wrapped
        }
    }

    /// A ``FieldValue/void`` for nil.
    public var fieldValue: FieldValue { self?.fieldValue ?? .void }
}

extension FieldValue: ExpressibleByNilLiteral {
    /// Makes a ``void``.
    ///
    /// In `["key": nil]` that is a key with no value. Assigning `nil` through a subscript of a ``FieldTable`` removes the
    /// key, as with every dictionary; assign `.void` there.
    public init(nilLiteral: ()) {
        self = .void
    }
}

extension FieldValue: ExpressibleByBooleanLiteral {
    /// Makes a ``bool(_:)``.
    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }
}

extension FieldValue: ExpressibleByIntegerLiteral {
    /// Makes an ``int64(_:)``, whatever the size of the number.
    public init(integerLiteral value: Int64) {
        self = .int64(value)
    }
}

extension FieldValue: ExpressibleByFloatLiteral {
    /// Makes a ``double(_:)``.
    public init(floatLiteral value: Double) {
        self = .double(value)
    }
}

extension FieldValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// Makes a ``string(_:)``.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension FieldValue: ExpressibleByArrayLiteral {
    /// Makes an ``array(_:)``.
    public init(arrayLiteral elements: FieldValue...) {
        self = .array(elements)
    }
}

extension FieldValue: ExpressibleByDictionaryLiteral {
    /// Makes a ``table(_:)``; of a key that comes twice, the last value counts.
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        self = .table(FieldTable(elements) { _, last in last })
    }
}

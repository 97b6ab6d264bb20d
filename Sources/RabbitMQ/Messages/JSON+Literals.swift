extension Message.JSON: ExpressibleByNilLiteral {
    /// Makes a ``null``.
    public init(nilLiteral: ()) {
        self = .null
    }
}

extension Message.JSON: ExpressibleByBooleanLiteral {
    /// Makes a ``bool(_:)``.
    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }
}

extension Message.JSON: ExpressibleByIntegerLiteral {
    /// Makes an ``int(_:)``.
    public init(integerLiteral value: Int64) {
        self = .int(value)
    }
}

extension Message.JSON: ExpressibleByFloatLiteral {
    /// Makes a ``number(_:)``.
    public init(floatLiteral value: Double) {
        self = .number(value)
    }
}

extension Message.JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// Makes a ``string(_:)``.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension Message.JSON: ExpressibleByArrayLiteral {
    /// Makes an ``array(_:)``.
    public init(arrayLiteral elements: Message.JSON...) {
        self = .array(elements)
    }
}

extension Message.JSON: ExpressibleByDictionaryLiteral {
    /// Makes an ``object(_:)``; of a key that comes twice, the last value counts.
    public init(dictionaryLiteral elements: (String, Message.JSON)...) {
        self = .object([String: Message.JSON](elements) { _, last in last })
    }
}

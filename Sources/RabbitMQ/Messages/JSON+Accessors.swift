extension Message.JSON {
    /// The value at `key` of an object; nil if there is none, or if this is not an object.
    public subscript(key: String) -> Message.JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The element at `index` of an array; nil if there is none, or if this is not an array.
    public subscript(index: Int) -> Message.JSON? {
        if case .array(let array) = self, array.indices.contains(index) { array[index] } else { nil }
    }

    /// The text of a string; nil for everything else.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The number, if it is a whole one that fits an `Int`; nil for everything else.
    public var intValue: Int? {
        switch self {
        case .int(let value): Int(exactly: value)
        case .uint(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number, rounded where a `Double` cannot hold it; nil for everything else.
    public var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value of a boolean; nil for everything else.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    public var isNull: Bool {
        self == .null
    }

    /// Whether arrays and objects nest at most `limit` levels deep; looks no deeper than that.
    func nests(within limit: Int) -> Bool {
        switch self {
        case .array(let array): limit > 0 && array.allSatisfy { $0.nests(within: limit - 1) }
        case .object(let object): limit > 0 && object.values.allSatisfy { $0.nests(within: limit - 1) }
        default: true
        }
    }
}

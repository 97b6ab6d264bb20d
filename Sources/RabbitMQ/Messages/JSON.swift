extension Message {
    /// A JSON value of any shape.
    ///
    /// Integers from -2^63 to 2^64-1 are kept exactly, other numbers as `Double`. Two numbers are equal if their values
    /// are, whichever case holds them: `.int(1)` equals `.number(1.0)`.
    public enum JSON: Sendable {
        /// Nothing: `null`.
        case null

        /// A boolean: `true` or `false`.
        case bool(Bool)

        /// A whole number that fits an `Int64`.
        case int(Int64)

        /// A whole number; decoding makes it only of one that is larger than `Int64.max`.
        case uint(UInt64)

        /// A number with a fraction, or too large for the integers. JSON cannot hold one that is not finite.
        case number(Double)

        /// Text.
        case string(String)

        /// An array.
        case array([Message.JSON])

        /// An object.
        case object([String: Message.JSON])
    }
}

extension Message.JSON: Hashable {
    /// A number in the first of the cases that holds it exactly.
    private var canonical: Message.JSON {
        switch self {
        case .uint(let value):
            Int64(exactly: value).map(Message.JSON.int) ?? self
        case .number(let value):
            Int64(exactly: value).map(Message.JSON.int) ?? UInt64(exactly: value).map(Message.JSON.uint) ?? self
        default:
            self
        }
    }

    /// Compares by content, numbers by their value.
    public static func == (left: Message.JSON, right: Message.JSON) -> Bool {
        switch (left.canonical, right.canonical) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.uint(let left), .uint(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    /// Hashes so that equal values have equal hashes.
    public func hash(into hasher: inout Hasher) {
        switch canonical {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .uint(let value): hasher.combine(value)
        case .number(let value): hasher.combine(value)
        case .string(let value): hasher.combine(value)
        case .array(let value): hasher.combine(value)
        case .object(let value): hasher.combine(value)
        }
    }
}

internal import RabbitMQ

/// What a binding to a headers exchange asks of a message's headers.
struct HeadersMatch {
    private let wanted: FieldTable
    private let isAny: Bool

    init(_ arguments: FieldTable) {
        let mode = arguments["x-match"]?.stringValue ?? "all"
        isAny = mode.hasPrefix("any")
        let looksAtAll = mode.hasSuffix("-with-x")
        wanted = arguments.filter { $0.key != "x-match" && (looksAtAll || !$0.key.hasPrefix("x-")) }
    }

    /// Whether a binding may ask for it.
    static func knows(_ mode: FieldValue) -> Bool {
        ["all", "any", "all-with-x", "any-with-x"].contains(mode.stringValue ?? "")
    }

    func accepts(_ headers: FieldTable) -> Bool {
        func matches(_ entry: FieldTable.Element) -> Bool {
            guard let value = headers[entry.key] else { return false }
            // A binding without a value asks for the header only.
            return entry.value == .void || Self.isEqual(entry.value, value)
        }
        return isAny ? wanted.contains(where: matches) : wanted.allSatisfy(matches)
    }

    private static func isEqual(_ one: FieldValue, _ other: FieldValue) -> Bool {
        if let number = one.intValue { return number == other.intValue }
        if let number = float(one) { return number == float(other) }
        if let text = one.stringValue { return text == other.stringValue }
        return one == other
    }

    /// A floating-point number of either size, which are alike; a decimal is none.
    private static func float(_ value: FieldValue) -> Double? {
        switch value {
        case .float(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }
}

/// Decodes the headers of messages: of a type, not a closure, which would take memory with each message.
protocol HeaderCoding: Sendable {
    static func table(_ bytes: [UInt8], isTooDeep: Bool) -> FieldTable

    static func search(_ bytes: [UInt8], for name: String, isTooDeep: Bool) -> FoundHeader
}

/// What was found of one header in the bytes of all.
enum FoundHeader {
    case found(FieldValue)
    case missing
    /// Only once all are decoded can it be said: names are compared as characters, not as bytes.
    case unclear
}

extension Message {
    /// About how many bytes of memory it takes while it waits for whoever receives it.
    var footprint: Int { body.count + Self.overhead + (extras?.footprint ?? 0) }

    /// About how many bytes it takes beside its body and the rarer properties.
    static let overhead = 256
}

extension MessageExtras.Values {
    var footprint: Int {
        let texts = [contentEncoding, correlationID, replyTo, expiration, messageID, type, userID, appID]
        return texts.reduce(headers?.footprint ?? 0) { $0 + ($1?.utf8.count ?? 0) }
    }
}

extension EncodedHeaders {
    /// As encoded, and once more for what is made of them when they are read: the table is not counted exactly, for that would
    /// be to decode it. But its values are, of which there may be one in each byte.
    var footprint: Int {
        max(4 * bytes.count, 2 * bytes.count + values * MemoryLayout<FieldTable.Element>.stride)
    }
}

extension FieldTable {
    /// Recurses as deep as it nests, which for what was received was limited when it came.
    fileprivate var footprint: Int {
        reduce(0) { $0 + MemoryLayout<Element>.stride + $1.key.utf8.count + $1.value.footprint }
    }
}

extension FieldValue {
    /// What it takes beside its place in a table or an array.
    fileprivate var footprint: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .array(let values): values.reduce(0) { $0 + MemoryLayout<FieldValue>.stride + $1.footprint }
        case .table(let table): table.footprint
        case .bool, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64, .float, .double, .decimal,
            .timestamp, .void:
            0
        }
    }
}

/// Checks field tables before rabbitmq-c encodes them.
///
/// rabbitmq-c cuts the length of a key to 8 bits but writes the whole key, which would let a long key plant another
/// field; and it recurses as deep as the table does. So both are checked here, in every nested table and array.
enum TableCheck {
    /// How many levels of tables and arrays there may be, the table itself included.
    static let maxDepth = 32

    /// Refuses a table that must not be encoded, without recursing deeper than `maxDepth`.
    ///
    /// - Parameters:
    ///   - table: The table to check.
    ///   - name: What the table is, for the message of the error.
    ///   - code: The code of the error.
    ///   - maxDepth: How many levels of tables and arrays there may be, the table itself included.
    ///   - textKey: A key of the table itself whose value must be text.
    /// - Returns: The bytes that the table takes on the wire, its length of 4 bytes included.
    /// - Throws: An ``AMQPError`` with `code`: a key of more than 255 bytes of UTF-8, too many levels, too large; a value
    ///   that must be text and isn't; a number that isn't finite: Erlang has none, so that RabbitMQ closes the connection.
    @discardableResult
    static func validate(
        _ table: FieldTable,
        name: String = "the table",
        code: AMQPError.Code = .invalidArgument,
        maxDepth: Int = TableCheck.maxDepth,
        textKey: String? = nil
    ) throws(AMQPError) -> Int {
        let walk = Walk(name: name, code: code, maxDepth: maxDepth, textKey: textKey)
        return try walk.size(of: table, level: 1)
    }

    /// The bytes that `table` takes on the wire, its length of 4 bytes included.
    ///
    /// - Throws: What ``validate(_:name:code:maxDepth:)`` throws.
    static func encodedSize(of table: FieldTable) throws(AMQPError) -> Int {
        try validate(table)
    }
}

/// One walk through a table: its limits and how its errors are called.
private struct Walk {
    let name: String
    let code: AMQPError.Code
    let maxDepth: Int
    let textKey: String?

    func size(of table: FieldTable, level: Int) throws(AMQPError) -> Int {
        try checkLevel(level)
        var total = 0
        for (key, value) in table {
            let isLong = key.utf8.count > ShortString.maxBytes
            let count = isLong ? WireText.count(key) : key.utf8.count
            guard count <= ShortString.maxBytes else {
                throw AMQPError(
                    code,
                    "\(name) has a key of \(count) bytes of UTF-8, which begins \"\(key.prefix(16).printable())\"; "
                        + "at most \(ShortString.maxBytes) are possible"
                )
            }
            // Compared by length first, which is there anyway: headers are checked with each message.
            if let textKey, level == 1, count == textKey.utf8.count, key == textKey, value.stringValue == nil {
                throw AMQPError(code, "\(name) have \(textKey) as something else than text")
            }
            total += 1 + count + 1
            total += try size(of: value, level: level)
        }
        return try prefixed(total)
    }

    private func size(of array: [FieldValue], level: Int) throws(AMQPError) -> Int {
        try checkLevel(level)
        var total = 0
        for value in array {
            total += 1
            total += try size(of: value, level: level)
        }
        return try prefixed(total)
    }

    /// The bytes of `value` without its type letter.
    private func size(of value: FieldValue, level: Int) throws(AMQPError) -> Int {
        switch value {
        case .void: 0
        case .bool, .int8, .uint8: 1
        case .int16, .uint16: 2
        case .int32, .uint32: 4
        case .float(let number): try finite(Double(number), 4)
        case .decimal: 5
        case .int64, .uint64, .timestamp: 8
        case .double(let number): try finite(number, 8)
        case .string(let text): try prefixed(text.utf8.count)
        case .bytes(let bytes): try prefixed(bytes.count)
        case .array(let array): try size(of: array, level: level + 1)
        case .table(let table): try size(of: table, level: level + 1)
        }
    }

    private func finite(_ number: Double, _ size: Int) throws(AMQPError) -> Int {
        guard number.isFinite else { throw AMQPError(code, "\(name) has a number that brokers can't read: \(number)") }
        return size
    }

    private func checkLevel(_ level: Int) throws(AMQPError) {
        guard level <= maxDepth else {
            throw AMQPError(code, "\(name) nests deeper than \(maxDepth) levels")
        }
    }

    /// `count` and the 4 bytes in which it is written.
    private func prefixed(_ count: Int) throws(AMQPError) -> Int {
        guard count <= Int(UInt32.max) else {
            throw AMQPError(code, "\(name) holds \(count) bytes in one value; at most \(UInt32.max) are possible")
        }
        return 4 + count
    }
}

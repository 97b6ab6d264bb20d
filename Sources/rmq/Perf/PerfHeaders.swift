#if Tool
internal import RabbitMQ

/// Headers of about a given size, of texts of 32 bytes each, one of which is another in each message: tables of the same
/// content would be decoded and encoded once.
struct PerfHeaders {
    private let same: [(String, String)]
    private let isEmpty: Bool

    init(bytes: Int) {
        isEmpty = bytes == 0
        // A name of 8 bytes, a text of 32, and what the table has around them.
        same = (0..<max(0, bytes / 46 - 1)).map {
            ("x-head\(10 + $0 % 90)", String(repeating: "h", count: 32 + $0 / 90))
        }
    }

    /// The table of a message, built anew; nil if there are to be none.
    func table(_ number: Int) -> FieldTable? {
        if isEmpty { return nil }
        var table = FieldTable(minimumCapacity: same.count + 1)
        for (name, text) in same { table[name] = .string(text) }
        table["x-number"] = .int64(Int64(number))
        return table
    }
}
#endif

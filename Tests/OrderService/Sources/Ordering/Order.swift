import Foundation

package struct Order: Codable, Sendable {
    package let id: Int
    package let item: String

    package init(id: Int, item: String) {
        self.id = id
        self.item = item
    }
}

package struct PriceRequest: Codable, Sendable {
    package let item: String
}

package struct Price: Codable, Sendable, Equatable {
    package let cents: Int

    package init(cents: Int) { self.cents = cents }

    /// What there is to be had.
    static let list = ["coffee": 420, "tea": 350]
}

/// Where orders are booked: a file with a line for each. It stands for a database in which the order's number is
/// unique.
package actor Ledger {
    private var booked: Set<Int>
    private let file: FileHandle

    package init(path: String) throws {
        let url = URL(filePath: path)
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: url) }
        let file = try FileHandle(forUpdating: url)
        let lines = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        booked = Set(lines.compactMap { Int($0) })
        self.file = file
    }

    /// - Returns: Whether it was not booked before.
    package func book(_ order: Order) throws -> Bool {
        guard !booked.contains(order.id) else { return false }
        try file.write(contentsOf: Data("\(order.id)\n".utf8))
        booked.insert(order.id)
        return true
    }
}

/// Which RabbitMQ a broker says that it is.
struct BrokerVersion: Comparable, CustomStringConvertible {
    let major: Int
    let minor: Int
    /// As the broker writes it.
    let description: String

    /// - Returns: nil if it is another broker, or says no version that can be read.
    init?(_ serverProperties: Table) {
        guard serverProperties["product"]?.stringValue == "RabbitMQ",
            let text = serverProperties["version"]?.stringValue
        else { return nil }
        let numbers = text.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return nil }
        (major, minor) = (numbers[0], numbers[1])
        description = "RabbitMQ \(AMQPError.printable(String(text.prefix(40))))"
    }

    private init(_ major: Int, _ minor: Int) {
        (self.major, self.minor) = (major, minor)
        description = "RabbitMQ \(major).\(minor)"
    }

    /// From here on frames of 8192 bytes are the least there are, and are taken before their size is agreed on.
    static let withLargerFrames = BrokerVersion(4, 1)

    static func < (left: BrokerVersion, right: BrokerVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    static func == (left: BrokerVersion, right: BrokerVersion) -> Bool {
        (left.major, left.minor) == (right.major, right.minor)
    }
}

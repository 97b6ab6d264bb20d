#if Tool
internal import Foundation
internal import RabbitMQ

/// Where the messages come from that are published, one after the other.
struct PublishInput {
    /// A message, and where it says that it goes.
    struct Item {
        var message: Message
        var exchange: String?
        var routingKey: String?
    }

    enum Source {
        /// This body, so often.
        case body([UInt8], count: Int)
        case lines
        case records
    }

    private let source: Source
    private let properties: PropertyOptions
    private var reader: LineReader
    /// Which line it has come to, or which body.
    private(set) var number = 0
    /// The one message, made once.
    private var made: Message?

    init(_ source: Source, _ properties: PropertyOptions, stop: Stop) {
        self.source = source
        self.properties = properties
        reader = LineReader(STDIN_FILENO, stop: stop)
    }

    /// The next message; nil at the end.
    mutating func next() throws -> Item? {
        number += 1
        switch source {
        case .body(let body, let count):
            guard number <= count else { return nil }
            let message = try made ?? properties.message(body)
            made = message
            return Item(message: message)
        case .lines: return try reader.next().map { Item(message: try properties.message($0)) }
        case .records:
            while let line = try reader.next() {
                if line.isEmpty {
                    number += 1
                    continue
                }
                do {
                    let record = try JSONDecoder().decode(MessageRecord.self, from: Data(line))
                    return Item(
                        message: try record.message(),
                        exchange: record.exchange,
                        routingKey: record.routingKey
                    )
                } catch {
                    throw ToolError("Line \(number) is no message: \(Self.text(of: error))")
                }
            }
            return nil
        }
    }

    private static func text(of error: any Error) -> String {
        switch error {
        case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context):
            (context.codingPath.map(\.stringValue) + [context.debugDescription]).joined(separator: ": ")
        default: "\(error)"
        }
    }
}
#endif

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Where in a stream a consumer begins: `x-stream-offset`.
///
/// RabbitMQ: [Consuming from streams](https://www.rabbitmq.com/docs/streams#consuming).
public struct StreamOffset: Hashable, Sendable {
    /// As it goes over the wire.
    let value: FieldValue

    /// At the first message that the stream still has.
    public static let first = StreamOffset(value: "first")

    /// At the last chunk of messages that was written.
    public static let last = StreamOffset(value: "last")

    /// At what is published from now on; RabbitMQ's default.
    public static let next = StreamOffset(value: "next")

    /// At the message with this offset, or the first after it; see ``Message/streamOffset``.
    ///
    /// RabbitMQ may deliver some before it: it begins at a whole chunk.
    ///
    /// - Parameter offset: The offset, from 0. RabbitMQ reads it as signed, so that what is above the largest `Int64`
    ///   becomes that.
    public static func offset(_ offset: UInt64) -> StreamOffset {
        StreamOffset(value: .int64(Int64(clamping: offset)))
    }

    /// At the chunk that was written at this time, or the first after it.
    ///
    /// - Parameter date: The time, which is cut to whole seconds.
    public static func timestamp(_ date: Date) -> StreamOffset { StreamOffset(value: .date(date)) }

    /// At what was written this long ago.
    ///
    /// - Parameter interval: A number and one of the letters Y, M, D, h, m, s, such as `1h`.
    public static func interval(_ interval: String) -> StreamOffset { StreamOffset(value: .string(interval)) }

    /// Refuses an interval that a broker would not know.
    func validate() throws(AMQPError) {
        guard case .string(let text) = value, self != .first, self != .last, self != .next else { return }
        let digits = text.utf8.dropLast()
        guard let unit = text.utf8.last, "YMDhms".utf8.contains(unit), !digits.isEmpty, digits.count < 10,
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else {
            throw AMQPError(
                .invalidArgument,
                "the stream interval \(text.debugDescription) is not a number and one of Y, M, D, h, m, s"
            )
        }
    }
}

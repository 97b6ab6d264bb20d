/// A field table: the headers of a message, or the arguments of a declaration, a binding or a consumer.
///
/// Keys hold at most 255 bytes of UTF-8. Tables and arrays nest at most 32 levels deep, the table itself included.
/// What does not fit is refused before anything is sent.
///
/// ```swift
/// let headers: FieldTable = ["attempt": 1, "source": "billing", "tags": ["a", "b"], "nothing": .void]
/// ```
public typealias FieldTable = [String: FieldValue]

/// A value in a field table: every type that RabbitMQ knows, in both directions.
///
/// The letters are those that [RabbitMQ puts on the wire](https://www.rabbitmq.com/amqp-0-9-1-errata#section_3), which
/// differ from those of the specification. Literals make the common ones: an integer literal is an ``int64(_:)``, a
/// floating-point literal a ``double(_:)``, `nil` a ``void``.
///
/// Two values are equal if type and content are: `.int32(1)` is not `.int64(1)`. As with Swift's own floating-point
/// numbers `.double(.nan)` equals nothing, not even itself, and `.double(0.0)` equals `.double(-0.0)`.
public enum FieldValue: Sendable, Hashable {
    /// A boolean: `t`.
    case bool(Bool)

    /// A signed 8-bit integer: `b`.
    case int8(Int8)

    /// An unsigned 8-bit integer: `B`.
    case uint8(UInt8)

    /// A signed 16-bit integer: `s`.
    case int16(Int16)

    /// An unsigned 16-bit integer: `u`.
    case uint16(UInt16)

    /// A signed 32-bit integer: `I`.
    case int32(Int32)

    /// An unsigned 32-bit integer: `i`.
    case uint32(UInt32)

    /// A signed 64-bit integer: `l`.
    case int64(Int64)

    /// An unsigned 64-bit integer: `L`, which RabbitMQ reads as signed.
    ///
    /// From RabbitMQ 4.0 on it comes back as an ``int64(_:)``, one above `Int64.max` as a negative one with the same bits:
    /// `UInt64(bitPattern:)` of it is the number. RabbitMQ 3 gives it back as it was.
    case uint64(UInt64)

    /// A 32-bit floating-point number: `f`. One that isn't finite is not sent: RabbitMQ would close the connection.
    case float(Float)

    /// A 64-bit floating-point number: `d`. One that isn't finite is not sent: RabbitMQ would close the connection.
    case double(Double)

    /// A decimal number, `unscaled` divided by ten to the power of `scale`: `D`. RabbitMQ closes the connection that
    /// sends a message with one in its headers to a stream.
    case decimal(scale: UInt8, unscaled: Int32)

    /// Text, sent as UTF-8: `S`.
    case string(String)

    /// Bytes: `x`. A long string (`S`) from a peer that is not UTF-8 is given as bytes too. A message that is sent on
    /// has it as it came; in headers that were changed, it is sent as `x`.
    case bytes([UInt8])

    /// An array of values, whose types may differ: `A`.
    case array([FieldValue])

    /// A point in time, in whole seconds since 1 January 1970, 00:00 UTC: `T`.
    case timestamp(UInt64)

    /// A nested table: `F`.
    case table(FieldTable)

    /// No value: `V`.
    case void
}

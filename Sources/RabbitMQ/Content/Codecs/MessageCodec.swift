/// Turns values into bodies of messages, in one format: JSON (``JSONCodec``), or one of your own.
///
/// ```swift
/// struct ProtobufCodec<Value: SwiftProtobuf.Message>: MessageEncoder, MessageDecoder {
///     let contentType = "application/x-protobuf"
///
///     func encode(_ value: Value) throws -> [UInt8] { try value.serializedBytes() }
///     func decode(_ message: Message) throws -> Value { try Value(serializedBytes: message.body) }
/// }
///
/// try await exchange.publish(Message(encoding: order, using: ProtobufCodec()), routingKey: "order.new")
/// ```
///
/// <doc:Codecs> has the whole of it.
public protocol MessageEncoder<Value>: Sendable {
    /// What it encodes.
    associatedtype Value

    /// The MIME type of the bodies: ``Message/contentType``.
    var contentType: String { get }

    /// The MIME encoding of the bodies, such as `gzip`, ``Message/contentEncoding``; none by default.
    var contentEncoding: String? { get }

    /// Gives the body for a value.
    ///
    /// - Parameter value: The value.
    /// - Returns: The body.
    /// - Throws: Whatever keeps the value from being encoded; an ``AMQPError`` goes to the caller as it is, any other within one
    ///   with ``AMQPError/Code/encodingFailed``.
    func encode(_ value: Value) throws -> [UInt8]
}

extension MessageEncoder {
    /// None.
    public var contentEncoding: String? { nil }
}

/// Turns messages into values, from one format or several: see ``MessageEncoder``, and ``MessageDecoders`` for several.
public protocol MessageDecoder<Value>: Sendable {
    /// What it decodes.
    associatedtype Value

    /// Gives the value in a message.
    ///
    /// - Parameter message: The message, whose properties say what its body is.
    /// - Returns: The value.
    /// - Throws: Whatever keeps the body from being decoded; an ``AMQPError`` goes to the caller as it is, any other within one
    ///   with ``AMQPError/Code/decodingFailed``.
    func decode(_ message: Message) throws -> Value
}

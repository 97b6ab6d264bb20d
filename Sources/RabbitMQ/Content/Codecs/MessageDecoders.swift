/// A decoder for messages of several types and formats: it takes the one that was registered for a message's ``Message/type``, its
/// ``Message/contentType``, or both.
///
/// ```swift
/// enum Event: Sendable {
///     case created(OrderCreated), cancelled(OrderCancelled)
/// }
///
/// let events = MessageDecoders<Event>()
///     .adding(JSONCodec<OrderCreated>(), type: "order.created") { .created($0) }
///     .adding(JSONCodec<OrderCancelled>(), type: "order.cancelled") { .cancelled($0) }
///
/// for try await event in try await queue.messages(using: events, onUndecodable: .deadLetter) {
///     try await event.process { try await handle($0) }
/// }
/// ```
///
/// One for the type and the content type of a message comes before one for its type, that before one for its content type, and that
/// before one for all. Types are compared as they are; content types without regard to case, and without parameters such as
/// `; charset=utf-8`. A message for which there is none does not decode: ``AMQPError/Code/decodingFailed``.
public struct MessageDecoders<Value>: MessageDecoder {
    private struct Key: Hashable {
        var type: String?
        var contentType: String?
    }

    private var decoders: [Key: @Sendable (Message) throws -> Value] = [:]

    /// Makes one that decodes nothing.
    public init() {}

    /// The same, with a decoder more. One that was there for the same type and content type is replaced.
    ///
    /// - Parameters:
    ///   - decoder: The decoder.
    ///   - type: The ``Message/type`` of the messages; nil for all.
    ///   - contentType: The ``Message/contentType`` of the messages; nil for all.
    ///   - transform: Makes what is wanted of what is decoded.
    public func adding<Decoder: MessageDecoder>(
        _ decoder: Decoder,
        type: String? = nil,
        contentType: String? = nil,
        _ transform: @escaping @Sendable (Decoder.Value) throws -> Value
    ) -> MessageDecoders {
        var decoders = self
        let key = Key(type: type, contentType: contentType.map(Self.essence))
        decoders.decoders[key] = { try transform(try decoder.decode($0)) }
        return decoders
    }

    /// The same, with a decoder more for what is wanted itself.
    ///
    /// - Parameters:
    ///   - decoder: The decoder.
    ///   - type: The ``Message/type`` of the messages; nil for all.
    ///   - contentType: The ``Message/contentType`` of the messages; nil for all.
    public func adding(
        _ decoder: some MessageDecoder<Value>,
        type: String? = nil,
        contentType: String? = nil
    ) -> MessageDecoders {
        adding(decoder, type: type, contentType: contentType) { $0 }
    }

    /// Decodes a message with the decoder that was registered for it.
    ///
    /// - Throws: ``AMQPError/Code/decodingFailed`` if there is none; what that throws.
    public func decode(_ message: Message) throws -> Value {
        let type = message.type
        let contentType = message.contentType.map(Self.essence)
        let decoder =
            decoders[Key(type: type, contentType: contentType)] ?? decoders[Key(type: type)]
            ?? decoders[Key(contentType: contentType)] ?? decoders[Key()]
        guard let decoder else {
            throw AMQPError(
                .decodingFailed,
                "there is no decoder for \(Self.words("type", type)) and \(Self.words("content type", contentType))"
            )
        }
        return try decoder(message)
    }

    private static func words(_ what: String, _ text: String?) -> String {
        text.map { "the \(what) \"\($0.printable(80))\"" } ?? "no \(what)"
    }

    /// A content type without its parameters, in lower case.
    private static func essence(_ contentType: String) -> String {
        var bytes = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }
        while let last = bytes.last, last == UInt8(ascii: " ") || last == 9 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }
}

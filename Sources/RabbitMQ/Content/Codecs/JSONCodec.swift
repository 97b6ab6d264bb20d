#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// JSON, as ``Message/init(encoding:encoder:headers:contentType:contentEncoding:deliveryMode:priority:correlationID:replyTo:expiration:messageID:timestamp:type:userID:appID:)``
/// and ``Message/decode(_:decoder:)`` write and read it, where a ``MessageEncoder`` or a ``MessageDecoder`` is wanted.
public struct JSONCodec<Value>: Sendable {
    private let encoder: JSONEncoder?
    private let decoder: JSONDecoder?

    /// Makes a codec.
    ///
    /// - Parameters:
    ///   - type: What it encodes and decodes.
    ///   - encoder: The encoder for the values; if nil, one with Foundation's defaults.
    ///   - decoder: The decoder for the values; if nil, one with Foundation's defaults.
    public init(_ type: Value.Type = Value.self, encoder: JSONEncoder? = nil, decoder: JSONDecoder? = nil) {
        self.encoder = encoder
        self.decoder = decoder
    }
}

extension JSONCodec: MessageEncoder where Value: Encodable {
    /// `application/json`.
    public var contentType: String { "application/json" }

    /// `utf-8`.
    public var contentEncoding: String? { "utf-8" }

    /// Gives the JSON for a value.
    public func encode(_ value: Value) throws -> [UInt8] { try JSONBody.encode(value, with: encoder, as: "utf-8") }
}

extension JSONCodec: MessageDecoder where Value: Decodable {
    /// Gives the value in a message, whose body must be JSON in its content encoding.
    public func decode(_ message: Message) throws -> Value { try message.decode(Value.self, decoder: decoder) }
}

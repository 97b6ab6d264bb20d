#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns values into JSON in a text encoding and back, with errors that say where but never quote the data.
enum JSONBody {
    /// How deep arrays and objects may nest.
    ///
    /// Foundation's decoder takes 512 levels, and its recursion then overflows a stack of 2 MB. Bodies come from the
    /// network, so what is deeper than this is refused before it decodes.
    static let maxDepth = 128

    /// The bytes of `value`.
    ///
    /// - Throws: An ``AMQPError`` with `encodingFailed`.
    static func encode(
        _ value: some Encodable,
        with encoder: JSONEncoder,
        as encoding: String
    ) throws(AMQPError) -> [UInt8] {
        let data: Data
        do {
            data = try encoder.encode(value)
        } catch {
            throw AMQPError(.encodingFailed, "the value cannot be encoded as JSON\(place(error))", underlying: error)
        }
        if TextEncoding.isUTF8(encoding) {
            return Array(data)
        }
        return try TextEncoding.encode(String(decoding: data, as: UTF8.self), as: encoding)
    }

    /// The value in `bytes`.
    ///
    /// - Throws: An ``AMQPError`` with `decodingFailed`.
    static func decode<T: Decodable>(
        _ type: T.Type,
        from bytes: [UInt8],
        with decoder: JSONDecoder,
        as encoding: String
    ) throws(AMQPError) -> T {
        let data: Data
        if TextEncoding.isUTF8(encoding) {
            data = Data(bytes)
        } else {
            data = Data(try TextEncoding.decode(bytes, as: encoding).utf8)
        }
        try checkNesting(of: data)
        do {
            return try decoder.decode(type, from: data)
        } catch {
            throw AMQPError(.decodingFailed, "the body is not JSON of \(type)\(place(error))", underlying: error)
        }
    }

    /// What went wrong at which key, such as `: key "total" is missing at "items[0]"`.
    private static func place(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            ": key \"\(key.stringValue.printable())\" is missing\(at(context.codingPath))"
        case DecodingError.typeMismatch(let expected, let context):
            ": expected \(expected)\(at(context.codingPath))"
        case DecodingError.valueNotFound(let expected, let context):
            ": expected \(expected) and found null\(at(context.codingPath))"
        case DecodingError.dataCorrupted(let context):
            ": wrong content\(at(context.codingPath))"
        case EncodingError.invalidValue(_, let context):
            ": wrong value\(at(context.codingPath))"
        default:
            ""
        }
    }

    private static func at(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "" }
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return " at \"\(text.printable(200))\""
    }

    /// Refuses text that nests too deep, or that holds a NUL.
    ///
    /// No JSON has a NUL byte, but UTF-16 and UTF-32 do, which Foundation's decoder recognizes whatever we say; this
    /// scan of UTF-8 would lose its way in them.
    private static func checkNesting(of data: Data) throws(AMQPError) {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in data {
            guard byte != 0 else {
                throw AMQPError(.decodingFailed, "the body is not JSON: it holds a NUL byte")
            }
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\"") {
                isInString.toggle()
            } else if isInString {
                isEscaped = byte == UInt8(ascii: "\\")
            } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                depth += 1
                guard depth <= maxDepth else {
                    throw AMQPError(.decodingFailed, "the body's JSON nests deeper than \(maxDepth) levels")
                }
            } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                depth -= 1
            }
        }
    }
}

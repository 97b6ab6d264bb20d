import Foundation

/// Turns text into bytes and back, by the IANA name of an encoding as ``Message/contentEncoding`` holds it.
enum TextEncoding {
    /// The bytes of `text`.
    ///
    /// - Throws: An ``AMQPError`` with `encodingFailed` if the encoding is unknown or lacks a character.
    static func encode(_ text: String, as name: String) throws(AMQPError) -> [UInt8] {
        if isUTF8(name) {
            return Array(text.utf8)
        }
        guard let encoding = encoding(named: name) else {
            throw AMQPError(.encodingFailed, "\"\(name)\" is not a text encoding that Foundation knows")
        }
        guard let data = text.data(using: encoding, allowLossyConversion: false) else {
            throw AMQPError(.encodingFailed, "the text holds a character that \(name) lacks")
        }
        return Array(data)
    }

    /// The text of `bytes`.
    ///
    /// - Throws: An ``AMQPError`` with `decodingFailed` if the encoding is unknown or the bytes are not text in it.
    static func decode(_ bytes: [UInt8], as name: String) throws(AMQPError) -> String {
        let text: String?
        if isUTF8(name) {
            text = String(validating: bytes, as: UTF8.self)
        } else if let encoding = encoding(named: name) {
            // Foundation ignores what is left over behind the last whole unit.
            let isWhole = bytes.count.isMultiple(of: unitSize(of: encoding))
            text = isWhole ? String(bytes: bytes, encoding: encoding) : nil
        } else {
            throw AMQPError(.decodingFailed, "\"\(name)\" is not a text encoding that Foundation knows")
        }
        guard let text else {
            throw AMQPError(.decodingFailed, "the body, of \(bytes.count) bytes, is not text in \(name)")
        }
        return text
    }

    /// Whether `name` means UTF-8, and so needs no Foundation.
    static func isUTF8(_ name: String) -> Bool {
        switch name {
        case "utf-8", "UTF-8", "utf8", "UTF8": true
        default: name.count <= 5 && ["utf-8", "utf8"].contains(name.lowercased())
        }
    }

    private static func encoding(named name: String) -> String.Encoding? {
        let lowercased = name.lowercased()
        return String.Encoding(ianaName: commonAliases[lowercased] ?? lowercased)
    }

    /// Names that other clients put into messages but IANA does not list; Python's codecs for the most part.
    private static let commonAliases = [
        "ascii": "us-ascii",
        "cp1252": "windows-1252",
        "latin-1": "iso-8859-1",
        "sjis": "shift_jis",
        "utf16": "utf-16",
        "utf32": "utf-32",
    ]

    private static func unitSize(of encoding: String.Encoding) -> Int {
        switch encoding {
        case .utf16, .utf16BigEndian, .utf16LittleEndian: 2
        case .utf32, .utf32BigEndian, .utf32LittleEndian: 4
        default: 1
        }
    }
}

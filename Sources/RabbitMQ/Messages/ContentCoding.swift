/// What a message's content encoding says has been done to its text.
///
/// AMQP calls it a MIME encoding (0-9-1, section 1.8, "content-encoding"), and clients put there what that word means to
/// them: the encoding of the text, a transfer encoding of MIME (RFC 2045, section 6), or a content coding of HTTP
/// (RFC 9110, section 8.4.1), perhaps several with commas between.
enum ContentCoding: Equatable {
    /// UTF-8, or nothing said about the text: `binary`, for example, says of bytes that they are as they are.
    case utf8
    /// An encoding of text, its name in lower case.
    case text(String)
    /// Compressed, with what.
    case compressed(String)
    /// Made ASCII, with what.
    case transferred(String)

    init(_ name: String) {
        switch name {
        // What nearly all messages have.
        case "utf-8", "UTF-8", "utf8", "": self = .utf8
        default: self = Self.reading(name)
        }
    }

    private static func reading(_ name: String) -> ContentCoding {
        let names = name.split(separator: ",").map { trimmed($0).lowercased() }
            .filter { !identities.contains($0) && !utf8Names.contains($0) }
        // What was done last is to be undone first.
        if let name = names.last(where: { compressions.contains($0) || transfers.contains($0) }) {
            return compressions.contains(name) ? .compressed(name) : .transferred(name)
        }
        return names.isEmpty ? .utf8 : .text(names.joined(separator: ", "))
    }

    private static func trimmed(_ name: Substring) -> Substring {
        var name = name
        while name.first?.isWhitespace == true { name.removeFirst() }
        while name.last?.isWhitespace == true { name.removeLast() }
        return name
    }

    /// Those that leave bytes as they are.
    private static let identities: Set = ["", "identity", "7bit", "8bit", "binary", "none"]
    private static let utf8Names: Set = ["utf-8", "utf8"]
    private static let transfers: Set = ["base64", "quoted-printable", "x-uuencode", "uuencode"]
    private static let compressions: Set = [
        "gzip", "x-gzip", "deflate", "zlib", "br", "brotli", "zstd", "compress", "x-compress", "bzip2", "x-bzip2",
        "lz4",
        "lzma", "xz", "snappy", "x-snappy-framed",
    ]
}

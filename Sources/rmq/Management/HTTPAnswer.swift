#if Tool
internal import Foundation

/// What a web server answers.
struct HTTPAnswer {
    let status: Int
    let body: [UInt8]

    /// The longest answer that is taken, in bytes.
    static let longest = 512 * 1024 * 1024
}

/// Where a head ends, and what it says.
struct HTTPHead {
    let status: Int
    /// How many bytes it has, with the empty line at its end.
    let count: Int
    /// How many bytes come behind it; nil if that is not said.
    let length: Int?

    /// The longest head that is taken, in bytes. It is looked through each time that more has come.
    private static let longest = 64 * 1024

    /// Reads the head at the beginning of what has come.
    ///
    /// - Returns: nil if it is not there as a whole yet.
    /// - Throws: `ToolError` if it is no head of HTTP, or what follows it is not the body as it is.
    init?(_ bytes: [UInt8]) throws {
        let mark = Array("\r\n\r\n".utf8)
        let places = 0..<max(0, min(bytes.count, Self.longest) - mark.count + 1)
        guard let end = places.first(where: { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }) else {
            guard bytes.count < Self.longest else { throw ToolError("no web server answers") }
            return nil
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
            throw ToolError("no web server answers")
        }
        self.status = status
        count = end + mark.count
        var length: Int?
        for line in lines.dropFirst() {
            guard let sign = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: sign)...].trimmingCharacters(in: .whitespaces)
            switch line[..<sign].lowercased() {
            case "content-length": length = Int(value)
            // HTTP 1.0 has none: chunks would be taken for the body, and their end not be seen.
            case "transfer-encoding" where value.lowercased() != "identity":
                throw ToolError("the answer has a transfer coding, for which it was not asked")
            default: break
            }
        }
        self.length = length.map { max(0, $0) }
    }
}
#endif

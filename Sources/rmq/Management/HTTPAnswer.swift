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

    /// Reads the head at the beginning of what has come.
    ///
    /// - Returns: nil if it is not there as a whole yet.
    /// - Throws: `ToolError` if it is no head of HTTP.
    init?(_ bytes: [UInt8]) throws {
        let mark = Array("\r\n\r\n".utf8)
        let places = 0..<max(0, bytes.count - mark.count + 1)
        guard let end = places.first(where: { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
            throw ToolError("no web server answers")
        }
        self.status = status
        count = end + mark.count
        var length: Int?
        for line in lines.dropFirst() {
            guard let sign = line.firstIndex(of: ":"), line[..<sign].lowercased() == "content-length" else { continue }
            length = Int(line[line.index(after: sign)...].trimmingCharacters(in: .whitespaces))
        }
        self.length = length.map { max(0, $0) }
    }
}
#endif

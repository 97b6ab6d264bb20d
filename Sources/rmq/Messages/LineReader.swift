#if Tool
internal import Foundation

/// Reads a descriptor line by line, as lines come.
struct LineReader {
    private let descriptor: Int32
    /// Ends the input when it is requested.
    private let stop: Stop?
    private var buffer: [UInt8] = []
    private var start = 0
    private var hasEnded = false

    /// The longest line that is taken, in bytes.
    static let longest = 512 * 1024 * 1024

    init(_ descriptor: Int32, stop: Stop? = nil) {
        self.descriptor = descriptor
        self.stop = stop
    }

    /// The next line, without its line feed, or CR and line feed; nil at the end.
    mutating func next() throws -> [UInt8]? {
        var looked = start
        while true {
            if let end = buffer[looked...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                // Other systems' files have both, which is no part of a message.
                let hasReturn = end > start && buffer[end - 1] == UInt8(ascii: "\r")
                return Array(buffer[start..<(hasReturn ? end - 1 : end)])
            }
            looked = buffer.count
            guard !hasEnded else {
                guard start < buffer.count else { return nil }
                defer { start = buffer.count }
                return Array(buffer[start...])
            }
            guard buffer.count - start <= Self.longest else { throw ToolError("A line is longer than 512 MiB.") }
            if start > 0 {
                buffer.removeFirst(start)
                looked -= start
                start = 0
            }
            hasEnded = try !fill()
        }
    }

    /// Reads all that is left.
    mutating func rest() throws -> [UInt8] {
        while try fill() {
            guard buffer.count - start <= Self.longest else { throw ToolError("The input is longer than 512 MiB.") }
        }
        defer { start = buffer.count }
        return Array(buffer[start...])
    }

    /// - Returns: Whether something came.
    private mutating func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            // Not to be stuck in a read when somebody wants to stop.
            var wish = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while stop != nil, poll(&wish, 1, 100) == 0 {
                if stop?.isRequested == true { return false }
            }
            let count = read(descriptor, &chunk, chunk.count)
            if count > 0 {
                buffer += chunk[..<count]
                return true
            }
            if count == 0 { return false }
            guard errno == EINTR else {
                throw ToolError("The input can't be read: \(String(cString: strerror(errno))).")
            }
        }
    }
}
#endif

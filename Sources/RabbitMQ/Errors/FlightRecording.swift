/// The last frames of a connection, from the earliest to the latest: what it did before something happened.
///
/// It holds no bodies, no headers, no names and no secrets: see ``ConnectionConfiguration/recordedFrames``.
public struct FlightRecording: Sendable, Hashable {
    /// Frames of one method on one channel, in one direction, with no other between them in that direction.
    public struct Entry: Sendable, Hashable {
        /// Whether they were sent; else they were received.
        public let isSent: Bool
        /// The method, such as `basic.publish`, with the content that belongs to it; `heartbeat`, or `content` for content of
        /// which others stand before.
        public let method: String
        /// The number of the channel; 0 for what concerns the connection.
        public let channel: Int
        /// How often the method came.
        public let count: Int
        /// How many bytes all of it took on the wire, before encryption.
        public let bytes: Int
        /// How long before the recording was made the first was written or read.
        public let age: Duration
        /// How long before that the last was.
        public let lastAge: Duration
    }

    /// The entries.
    public let entries: [Entry]
}

extension FlightRecording: CustomStringConvertible {
    /// A line for each entry: how many seconds ago, sent (`>`) or received (`<`), the channel, the method, how often, bytes.
    public var description: String { entries.map(\.description).joined(separator: "\n") }
}

extension FlightRecording.Entry: CustomStringConvertible {
    /// All on one line.
    public var description: String {
        let (seconds, attoseconds) = age.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let fraction = "\(milliseconds % 1000)"
        let padded = String(repeating: "0", count: 3 - fraction.count) + fraction
        let times = count > 1 ? " x \(count)" : ""
        return
            "-\(milliseconds / 1000).\(padded) s \(isSent ? ">" : "<") channel \(channel) \(method)\(times), \(bytes) bytes"
    }
}

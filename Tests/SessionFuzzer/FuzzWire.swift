internal import Glibc
internal import TestSupport

/// The broker's end of a socket: bytes, and the client's frames that they make.
///
/// It blocks, so that it costs one thread and no task; each of its waits has a deadline.
final class FuzzWire {
    /// What the client has written that no frame should be.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    static let protocolHeaderSize = 8

    private let descriptor: Int32
    /// Has what is written come in pieces; nil if it comes as a whole.
    private var splits: SplitMix?
    /// What has come and was not taken.
    private(set) var bytes: [UInt8] = []

    init(descriptor: Int32, splits: SplitMix?) {
        self.descriptor = descriptor
        self.splits = splits
        var timeout = timeval(tv_sec: 0, tv_usec: 300_000)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    // MARK: Reading

    /// Whether something comes, or the end, within so many milliseconds.
    func hasInput(within milliseconds: Int32) -> Bool { wait(for: Int16(POLLIN), atMost: milliseconds) }

    /// Says nothing for so many milliseconds, unless the client hangs up before: that is told unasked.
    func waitForHangUp(atMost milliseconds: Int32) { _ = wait(for: 0, atMost: milliseconds) }

    private func wait(for events: Int16, atMost milliseconds: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: events, revents: 0)
        return poll(&polled, 1, milliseconds) > 0
    }

    /// Reads what comes.
    ///
    /// - Returns: Whether anything has: the client may have hung up, or hang.
    func receive() -> Bool {
        guard hasInput(within: 1000) else { return false }
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &room, room.count, 0)
        guard count > 0 else { return false }
        bytes += room[..<count]
        return true
    }

    /// Takes the first bytes of what has come.
    func take(_ count: Int) -> [UInt8] {
        defer { bytes.removeFirst(count) }
        return Array(bytes.prefix(count))
    }

    /// Takes the next frame, if it is there as a whole.
    func nextFrame() throws -> PeerFrame? {
        guard bytes.count >= 8 else { return nil }
        var reader = PeerReader(Array(bytes.prefix(7)))
        let (type, channel, size) = (reader.octet(), reader.short(), Int(reader.long()))
        guard size <= 131_072 else { throw Fault(description: "a frame of \(size) bytes") }
        guard bytes.count >= size + 8 else { return nil }
        let frame = take(size + 8)
        guard frame[size + 7] == 0xCE, [1, 2, 3, 8].contains(type) else {
            throw Fault(description: "a frame of type \(type) that ends with \(frame[size + 7])")
        }
        return PeerFrame(type: type, channel: channel, payload: Array(frame[7..<size + 7]))
    }

    // MARK: Writing

    /// - Returns: Whether the client takes it.
    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let length = min(rest.count, splits?.number(1...9) ?? rest.count)
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, length, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Says that no more will come.
    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() { Glibc.close(descriptor) }
}

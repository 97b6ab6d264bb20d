#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What the system knows of a peer while nothing is read from it. A value.
///
/// Reading pauses while consumers are slow. Heartbeats then lie in the socket unread, or don't even get there; but our own
/// are answered by the peer's system as long as it lives.
struct PeerSilence {
    /// Segments that were sent and that the peer's system has not acknowledged.
    var unacknowledged: Int
    /// Questions whether there is room at the peer's now, which its system has not answered.
    var unansweredProbes: Int
    /// How long ago its system acknowledged something, in milliseconds.
    var sinceAcknowledgement: Int
    /// How long ago data came from it, in milliseconds.
    var sinceData: Int
    /// How much of the memory for what is unread is in use, from 0 to 1.
    var fill: Double

    /// Whether the peer counts as gone.
    ///
    /// - Parameter limit: How long it may be silent, in milliseconds.
    func isGone(after limit: Int) -> Bool {
        // Its system is gone, or the way there.
        if sinceAcknowledgement >= limit, unacknowledged > 0 || unansweredProbes >= 3 { return true }
        // It could send its heartbeats and doesn't. While there is no room here it can't.
        return fill < 0.25 && sinceData >= limit
    }
}

extension PeerSilence {
    /// Asks the system about a TCP connection.
    ///
    /// - Returns: nil if it isn't one.
    init?(of descriptor: CInt) {
        var info = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_INFO, &info, &size) == 0,
            size >= MemoryLayout<tcp_info>.size
        else { return nil }
        unacknowledged = Int(info.tcpi_unacked)
        unansweredProbes = Int(info.tcpi_probes)
        sinceAcknowledgement = Int(info.tcpi_last_ack_recv)
        sinceData = Int(info.tcpi_last_data_recv)
        fill = Self.fill(of: descriptor)
    }

    /// SO_MEMINFO (socket(7)): the memory that what is unread takes, and the most that it may take.
    private static func fill(of descriptor: CInt) -> Double {
        var memory = [UInt32](repeating: 0, count: 9)
        var size = socklen_t(memory.count * MemoryLayout<UInt32>.size)
        let soMemInfo: CInt = 55
        guard getsockopt(descriptor, SOL_SOCKET, soMemInfo, &memory, &size) == 0, memory[1] > 0 else { return 1 }
        return Double(memory[0]) / Double(memory[1])
    }
}

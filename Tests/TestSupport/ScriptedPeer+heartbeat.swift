internal import Foundation
internal import Glibc
internal import Synchronization

extension ScriptedPeer {
    /// Calls `body` while heartbeats go out, five a second, from a thread of their own: what other tests do holds up a task,
    /// and with it the heartbeats that it sends. Nothing else may be sent meanwhile.
    public func whileBeating(_ body: () async throws -> Void) async throws {
        let beats = Beats(descriptor)
        defer { beats.isOver.store(true, ordering: .relaxed) }
        try await body()
    }

    private final class Beats: Sendable {
        let isOver = Atomic(false)

        init(_ descriptor: Int32) {
            let own = dup(descriptor)
            Thread.detachNewThread { [self] in
                let bytes = PeerFrame.heartbeat.bytes
                while !isOver.load(ordering: .relaxed) {
                    _ = Glibc.send(own, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    usleep(200_000)
                }
                close(own)
            }
        }
    }
}

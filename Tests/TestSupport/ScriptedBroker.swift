public import RabbitMQ
internal import Synchronization

/// A broker that answers whatever is asked, on one connection after the other, and does what a script says besides: for
/// what a real one won't do on command.
public final class ScriptedBroker: Sendable {
    /// What it does on one connection.
    public struct Script: Sendable {
        /// Hangs up with the frame of this number that comes, the first after the protocol header being 1.
        public var cutAtFrame: Int?
        /// Whether it answers that frame before.
        public var answersLast = false
        /// Whether it breaks the connection (RST) instead of closing it.
        public var resets = false
        /// Answers nothing from the frame of this number on.
        public var stopsAtFrame: Int?
        /// Whether it confirms what is published on a confirming channel.
        public var confirms = true
        /// Which methods it refuses: by closing the channel, or the connection for channel 0. The first that fits is used
        /// up.
        public var refusals: [Refusal] = []
        /// Which methods it never answers.
        public var silent: Set<PeerMethod> = []
        public var tune = ScriptedPeer.Tune()

        public init() {}
    }

    /// What it refuses.
    public struct Refusal: Sendable {
        let method: PeerMethod
        /// What the method's fields must contain.
        let name: String
        let code: UInt16
        let text: String
        let closesConnection: Bool

        /// - Parameter code: 0 to leave it unanswered.
        public init(
            _ method: PeerMethod,
            _ name: String = "",
            code: UInt16,
            _ text: String = "",
            closesConnection: Bool = false
        ) {
            self.method = method
            self.name = name
            self.code = code
            self.text = text
            self.closesConnection = closesConnection
        }
    }

    private let listener: ScriptedListener
    private let served = Mutex<[Session]>([])
    private let scripts: Mutex<[Script]>
    private let serving = Mutex<Task<Void, Never>?>(nil)

    /// Runs `body` with a broker that follows a script for each connection, and none for the others.
    public static func run<R>(_ scripts: [Script] = [], _ body: (ScriptedBroker) async throws -> R) async throws -> R {
        let broker = try ScriptedBroker(scripts)
        defer { broker.stop() }
        return try await body(broker)
    }

    private init(_ scripts: [Script]) throws {
        listener = try ScriptedListener()
        self.scripts = Mutex(scripts)
        let task = Task { [weak self, listener] in
            while !Task.isCancelled {
                guard let peer = try? await listener.accept(within: .seconds(600)) else { return }
                self?.serve(peer)
            }
        }
        serving.withLock { $0 = task }
    }

    private func serve(_ peer: ScriptedPeer) {
        let script = scripts.withLock { $0.isEmpty ? Script() : $0.removeFirst() }
        let session = Session(peer, script)
        served.withLock { $0.append(session) }
        Task { await session.play() }
    }

    public func stop() {
        serving.withLock { $0?.cancel() }
        listener.stop()
        for session in sessions { session.peer.hangUp() }
    }

    /// What it does on the connections that come.
    public func follow(_ scripts: [Script]) { self.scripts.withLock { $0 = scripts } }

    public var configuration: ConnectionConfiguration { listener.configuration }

    /// The connections that it has, and had.
    public var sessions: [Session] { served.withLock { $0 } }

    /// The one at present, or the last one.
    public var session: Session {
        get throws {
            guard let last = sessions.last else { throw PeerError("nobody has connected") }
            return last
        }
    }
}

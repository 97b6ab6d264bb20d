internal import Foundation
internal import Glibc
internal import Synchronization

/// A TCP proxy that does to each connection what its plan says: passes bytes late, slowly or one by one, and ends after as
/// many as it is told.
///
/// One thread that polls; what it ends with a reset ends at once, whatever was on its way.
public final class FaultProxy: Sendable {
    /// How a connection ends that the proxy ends.
    public enum Ending: String, Sendable, CaseIterable {
        /// With a reset to both sides.
        case reset
        /// In good order, towards both sides.
        case close
        /// Not at all: nothing is passed any more.
        case freeze
    }

    /// Which way bytes go.
    public enum Direction: String, Sendable, CaseIterable {
        case toBroker, toClient, both
    }

    /// What becomes of a connection.
    public struct Plan: Sendable {
        /// Ends after so many bytes, both directions together; never if nil.
        public var bytes: Int?
        public var ending = Ending.reset
        /// In which direction it freezes, if that is how it ends.
        public var frozen = Direction.both
        /// How much later bytes are passed than they came.
        public var delay = Duration.zero
        /// The most bytes that are passed at once.
        public var piece = 64 * 1024
        /// How many bytes a second are passed, in each direction; any number if nil.
        public var rate: Int?

        public init() {}

        /// Ends after so many bytes.
        public init(bytes: Int, _ ending: Ending, frozen: Direction = .both) {
            self.bytes = bytes
            self.ending = ending
            self.frozen = frozen
        }
    }

    private struct Orders {
        var plans: [Plan] = []
        var plan = Plan()
        var ends: (ending: Ending, frozen: Direction)?
        var stops = false
        var hasEnded = false
        var passed = 0
        var accepted = 0
    }

    private let orders: Mutex<Orders>
    private let wakeUp: CInt

    /// Where to connect to instead of the broker, at 127.0.0.1.
    public let port: Int

    /// - Parameters:
    ///   - target: The port on the test broker's host.
    ///   - plans: What becomes of the first connections, one each.
    ///   - plan: What becomes of all others.
    public init(target: Int, plans: [Plan] = [], then plan: Plan = Plan()) throws {
        let broker = try SocketAddress(host: TestBroker.host, port: target)
        let listener = try LoopbackListener(isBlocking: true)
        port = listener.port
        var ends: [CInt] = [0, 0]
        try TCPProxy.check(socketpair(AF_UNIX, TCPProxy.streamSocket, 0, &ends), "socketpair")
        wakeUp = ends[1]
        orders = Mutex(Orders(plans: plans, plan: plan))
        let loop = FaultLoop(listener: listener.descriptor, wakeUp: ends[0], target: broker)
        Thread.detachNewThread { [self] in run(loop) }
    }

    /// Lends a proxy before the test broker to `body`, and ends it.
    ///
    /// - Parameter target: The port on its host; the one without TLS if nil, also where other tests are run over TLS.
    public static func run<R>(
        _ plans: [Plan] = [],
        then plan: Plan = Plan(),
        to target: Int? = nil,
        _ body: (FaultProxy) async throws -> R
    ) async throws -> R {
        let proxy = try FaultProxy(target: target ?? TestBroker.plainPort, plans: plans, then: plan)
        defer { proxy.stop() }
        return try await body(proxy)
    }

    /// How many bytes were passed, in both directions.
    public var passed: Int { orders.withLock { $0.passed } }

    /// How many connections it has accepted.
    public var accepted: Int { orders.withLock { $0.accepted } }

    /// What becomes of the connections that come from now on.
    public func follow(_ plan: Plan) { orders.withLock { $0.plan = plan } }

    /// Ends the connections that there are.
    public func end(_ ending: Ending, frozen: Direction = .both) { order { $0.ends = (ending, frozen) } }

    /// Ends every connection with a reset, and accepts no more.
    public func stop() { order { $0.stops = true } }

    private func order(_ change: (inout Orders) -> Void) {
        orders.withLock {
            guard !$0.hasEnded else { return }
            change(&$0)
            _ = write(wakeUp, [1], 1)
        }
    }

    private func run(_ loop: FaultLoop) {
        while true {
            let (ends, stops) = orders.withLock { orders in
                defer { orders.ends = nil }
                return (orders.ends, orders.stops)
            }
            if let ends { loop.endAll(ends.ending, ends.frozen) }
            if stops { break }
            loop.step {
                orders.withLock { orders in
                    orders.accepted += 1
                    return orders.plans.isEmpty ? orders.plan : orders.plans.removeFirst()
                }
            }
            orders.withLock { $0.passed = loop.passed }
        }
        loop.endAll(.reset, .both)
        close(loop.listener)
        close(loop.wakeUp)
        orders.withLock {
            $0.hasEnded = true
            _ = close(wakeUp)
        }
    }
}

internal import Foundation
internal import Glibc
internal import Synchronization

/// A TCP proxy before the broker that can go silent and can cut its connections with a reset.
///
/// One thread that polls, never blocked in `recv`: such a thread would keep a closed socket alive, and nobody would
/// notice the cut.
public final class TCPProxy: Sendable {
    private struct Orders {
        var isPaused = false
        var cuts = false
        var abandons = false
        var cutsAbandoned = false
        var stops = false
        var hasEnded = false
        var connectionCount = 0
        var bytesToClient = 0
    }

    private let orders = Mutex(Orders())
    private let wakeUp: CInt

    /// Where to connect to instead of the broker, at 127.0.0.1.
    public let port: Int

    /// - Parameter target: The port on the test broker's host.
    public init(target: Int) throws {
        let broker = try SocketAddress(host: TestBroker.host, port: target)
        let listener = try LoopbackListener(isBlocking: true)
        port = listener.port
        var ends: [CInt] = [0, 0]
        try Self.check(socketpair(AF_UNIX, Self.streamSocket, 0, &ends), "socketpair")
        wakeUp = ends[1]
        let relay = Relay(listener: listener.descriptor, wakeUp: ends[0], target: broker)
        Thread.detachNewThread { [self] in run(relay) }
    }

    /// Lends a proxy before the test broker to `body`, and ends it.
    public static func run<R>(_ body: (TCPProxy) async throws -> R) async throws -> R {
        let proxy = try TCPProxy(target: TestBroker.port)
        defer { proxy.stop() }
        return try await body(proxy)
    }

    /// How many connections it has now.
    public var connectionCount: Int { orders.withLock { $0.connectionCount } }

    /// How many bytes it has passed on from the broker.
    public var bytesToClient: Int { orders.withLock { $0.bytesToClient } }

    /// Passes no more bytes, in either direction, and accepts nobody, but keeps every connection open.
    public func pause() { order { $0.isPaused = true } }

    /// Passes bytes again.
    public func resume() { order { $0.isPaused = false } }

    /// Ends the connections that there are with a reset, to both sides.
    public func cut() { order { $0.cuts = true } }

    /// Cuts the connections that there are on the client's side only, so that the broker believes in them.
    public func abandon() { order { $0.abandons = true } }

    /// Has the broker notice that the clients of abandoned connections are gone.
    public func cutAbandoned() { order { $0.cutsAbandoned = true } }

    /// Cuts every connection and accepts no more.
    public func stop() { order { $0.stops = true } }

    private func order(_ change: (inout Orders) -> Void) {
        orders.withLock {
            guard !$0.hasEnded else { return }
            change(&$0)
            _ = write(wakeUp, [1], 1)
        }
    }

    private func run(_ relay: Relay) {
        while true {
            let order = orders.withLock { orders in
                defer { (orders.cuts, orders.abandons, orders.cutsAbandoned) = (false, false, false) }
                return orders
            }
            if order.abandons { relay.abandonAll() }
            if order.cuts || order.stops { relay.cutAll() }
            if order.cutsAbandoned || order.stops { relay.cutAbandoned() }
            orders.withLock { $0.connectionCount = relay.pairs.count }
            if order.stops { break }
            relay.step(isPaused: order.isPaused)
            orders.withLock {
                $0.connectionCount = relay.pairs.count
                $0.bytesToClient = relay.bytesToClient
            }
        }
        close(relay.listener)
        close(relay.wakeUp)
        orders.withLock {
            $0.hasEnded = true
            _ = close(wakeUp)
        }
    }

    // MARK: Sockets

    /// Not inherited: a process that another test starts would keep a cut connection alive.
    static let streamSocket = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)

    struct SystemError: Error, CustomStringConvertible {
        let description: String
    }

    @discardableResult
    static func check(_ result: CInt, _ call: String) throws -> CInt {
        guard result >= 0 else { throw SystemError(description: "\(call): \(String(cString: strerror(errno)))") }
        return result
    }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    static func withAddress<R>(
        _ address: inout sockaddr_in,
        _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Both ends of one connection, and the bytes on their way in each direction.
private struct Pair {
    let client: CInt
    let broker: CInt
    var toBroker: [UInt8] = []
    var toClient: [UInt8] = []
}

/// What the proxy's thread does.
///
/// `@unchecked Sendable` is safe because it is handed to that thread when it is made, and nobody else keeps it.
private final class Relay: @unchecked Sendable {
    let listener: CInt
    let wakeUp: CInt
    let target: SocketAddress
    var pairs: [Pair] = []
    var bytesToClient = 0
    /// The broker's ends of connections whose clients are gone.
    private var abandoned: [CInt] = []
    private var buffer = [UInt8](repeating: 0, count: 65536)

    init(listener: CInt, wakeUp: CInt, target: SocketAddress) {
        self.listener = listener
        self.wakeUp = wakeUp
        self.target = target
    }

    /// Waits for something to do, and does it.
    func step(isPaused: Bool) {
        var polled = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
        if !isPaused {
            polled.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            for pair in pairs {
                polled.append(entry(pair.client, reads: pair.toBroker.isEmpty, writes: !pair.toClient.isEmpty))
                polled.append(entry(pair.broker, reads: pair.toClient.isEmpty, writes: !pair.toBroker.isEmpty))
            }
        }
        guard poll(&polled, nfds_t(polled.count), -1) > 0 else { return }
        if polled[0].revents != 0 { _ = read(wakeUp, &buffer, buffer.count) }
        guard !isPaused else { return }
        var alive: [Pair] = []
        for (index, pair) in pairs.enumerated() {
            var pair = pair
            let events = (polled[2 + 2 * index].revents, polled[3 + 2 * index].revents)
            if events == (0, 0) || relay(&pair, events.0, events.1) { alive.append(pair) } else { cut(pair) }
        }
        pairs = alive
        if polled[1].revents != 0 { accept() }
    }

    func cutAll() {
        for pair in pairs { cut(pair) }
        pairs = []
    }

    func abandonAll() {
        for pair in pairs {
            reset(pair.client)
            abandoned.append(pair.broker)
        }
        pairs = []
    }

    func cutAbandoned() {
        for descriptor in abandoned { reset(descriptor) }
        abandoned = []
    }

    private func entry(_ descriptor: CInt, reads: Bool, writes: Bool) -> pollfd {
        pollfd(fd: descriptor, events: Int16((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0)
    }

    /// - Returns: Whether both ends still live.
    private func relay(_ pair: inout Pair, _ client: Int16, _ broker: Int16) -> Bool {
        if client & Int16(POLLERR | POLLNVAL) != 0 || broker & Int16(POLLERR | POLLNVAL) != 0 { return false }
        let readable = Int16(POLLIN | POLLHUP)
        if client & readable != 0, pair.toBroker.isEmpty, !receive(pair.client, &pair.toBroker) { return false }
        if broker & readable != 0, pair.toClient.isEmpty, !receive(pair.broker, &pair.toClient) {
            return false
        }
        let waiting = pair.toClient.count
        guard send(pair.broker, &pair.toBroker), send(pair.client, &pair.toClient) else { return false }
        bytesToClient += waiting - pair.toClient.count
        return true
    }

    private func receive(_ descriptor: CInt, _ bytes: inout [UInt8]) -> Bool {
        let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
        return count > 0 || count < 0 && errno == EAGAIN
    }

    private func send(_ descriptor: CInt, _ bytes: inout [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return true }
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        let count = Glibc.send(descriptor, bytes, bytes.count, flags)
        if count > 0 { bytes.removeFirst(count) }
        return count >= 0 || errno == EAGAIN
    }

    private func accept() {
        guard let (client, broker) = target.acceptedPair(on: listener) else { return }
        pairs.append(Pair(client: client, broker: broker))
    }

    /// Closes both ends with a reset.
    private func cut(_ pair: Pair) {
        for descriptor in [pair.client, pair.broker] { reset(descriptor) }
    }

    private func reset(_ descriptor: CInt) {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }
}

extension TCPProxy {
    /// A socket that is connected to a port on the test broker's host. Whoever calls has to close it.
    public static func connectedSocket(port: Int) throws -> CInt {
        try SocketAddress(host: TestBroker.host, port: port).connectedSocket()
    }

    /// A socket that is connected to a port of this machine. Whoever calls has to close it.
    public static func connectedSocket(toLoopback port: Int) throws -> CInt {
        try SocketAddress(host: "127.0.0.1", port: port).connectedSocket()
    }

    /// How many bytes lie in a socket that nobody has read.
    public static func unreadBytes(of descriptor: CInt) throws -> Int {
        var count: CInt = 0
        try check(ioctl(descriptor, UInt(FIONREAD), &count), "ioctl")
        return Int(count)
    }
}

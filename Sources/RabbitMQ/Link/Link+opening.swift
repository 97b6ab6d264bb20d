internal import Dispatch
internal import Synchronization

extension Link {
    /// Connects and logs in.
    ///
    /// - Throws: A typed error when it fails or takes longer than the configuration's timeout; `CancellationError`. The
    ///   link has ended then, or ends as soon as the system's name lookup returns.
    static func open(_ configuration: ConnectionConfiguration, wishes: Handshake.Wishes) async throws -> (
        Link, ConnectionParameters
    ) {
        let link = Link(configuration: configuration)
        let opened = OneShot<ConnectionParameters>()
        let timeout = configuration.connectTimeout
        do {
            let parameters = try await withDeadline(after: timeout) {
                opened.fail(AMQPError(.timedOut, "connecting took longer than \(timeout)"))
            } _: {
                link.onQueue {
                    $0.connect(Handshake(wishes), opened, deadline: MonotonicTime.now &+ timeout.nanoseconds)
                }
                return try await opened.value()
            }
            return (link, parameters)
        } catch {
            link.onQueue { $0.end(AMQPError(.connectionClosed, "connecting was given up")) }
            throw error
        }
    }

    private func connect(_ handshake: Handshake, _ opened: OneShot<ConnectionParameters>, deadline: UInt64) {
        guard case .idle = phase else { return }
        phase = .opening(handshake, opened)
        do throws(AMQPError) {
            let socket: Socket
            if let descriptor = configuration.connectedSocket {
                socket = try Socket.adopt(descriptor: descriptor)
            } else {
                let now = MonotonicTime.now
                let left = Duration.nanoseconds(Int64(clamping: deadline > now ? deadline - now : 1))
                socket = try Socket.connect(host: configuration.host, port: configuration.port, timeout: left)
            }
            self.socket = socket
            startReading(socket)
            try outbox.append { buffer throws(AMQPError) in
                let header = Handshake.protocolHeader
                buffer.room(for: header.count).copyMemory(from: header, byteCount: header.count)
                buffer.advance(header.count)
            }
        } catch {
            end(error)
        }
    }

    /// Takes a method of the handshake.
    func continueOpening(
        _ handshake: Handshake,
        _ opened: OneShot<ConnectionParameters>,
        with method: ServerMethod
    ) throws(AMQPError) {
        var handshake = handshake
        let action = handshake.receive(method)
        phase = .opening(handshake, opened)
        switch action {
        case .send(let method): try outbox.send(method, channel: 0)
        case .agree(let parameters, let methods):
            self.parameters = parameters
            for method in methods { try outbox.send(method, channel: 0) }
            scanner.frameMax = parameters.frameMax
            outbox.frameMax = parameters.frameMax
            numbers.withLock { $0 = ChannelNumbers(max: parameters.channelMax) }
        case .opened:
            guard let parameters else { throw AMQPError(.internalError, "opened without having agreed on anything") }
            phase = .open
            startHeartbeats(interval: parameters.heartbeat)
            opened.succeed(parameters)
        case .refused(let error):
            try outbox.send(.connectionCloseOk, channel: 0)
            flush()
            throw error
        case .failed(let error): throw error
        }
    }
}

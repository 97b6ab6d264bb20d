internal import RabbitMQ

extension Broker {
    mutating func handleConnection(_ request: Request, _ id: Int) throws(Refusal) {
        guard let phase = connections[id]?.phase else { return }
        switch (phase, request) {
        case (.closing, .closeOk): drop(id)
        case (_, .close):
            connections[id]?.send(.closeOk)
            drop(id)
        // It has been closed: nothing else is heard.
        case (.closing, _): break
        case (.startOk, .startOk(let properties, let mechanism, let response)):
            connections[id]?.properties = properties
            try logIn(id, mechanism, response)
            connections[id]?.phase = .tuneOk
            connections[id]?.send(
                .tune(channelMax: options.channelMax, frameMax: options.frameMax, heartbeat: 60)
            )
        case (.tuneOk, .tuneOk(let channelMax, let frameMax, let heartbeat)):
            try Self.check("frame_max", frameMax, least: Self.leastFrameMax, most: options.frameMax)
            try Self.check("channel_max", UInt32(channelMax), least: 1, most: UInt32(options.channelMax))
            connections[id]?.channelMax = channelMax
            connections[id]?.frameMax = frameMax == 0 ? Int(UInt32.max) : Int(frameMax)
            connections[id]?.heartbeat = Int(heartbeat)
            connections[id]?.phase = .opening
        case (.opening, .open(let virtualHost)):
            guard virtualHost == options.virtualHost else {
                throw Refusal(.notAllowed, "vhost \(virtualHost) not found")
            }
            connections[id]?.phase = .open
            connections[id]?.send(.openOk)
            if let blockedReason { block(id, blockedReason) }
        case (.open, .updateSecret): connections[id]?.send(.updateSecretOk)
        case (.open, .closeOk): break
        default: throw Refusal(.commandInvalid, "a method that is out of order")
        }
    }

    /// What AMQP 0-9-1 asks for at the least. Below it the rest of a message could not be cut into frames.
    private static let leastFrameMax: UInt32 = 4096

    /// Refuses what a client has chosen, if it is not within the limits; 0 stands for no limit on both sides.
    private static func check(_ name: String, _ value: UInt32, least: UInt32, most: UInt32) throws(Refusal) {
        if value != 0, value < least {
            throw Refusal(.notAllowed, "negotiated \(name) = \(value) is lower than the minimum (\(least))")
        }
        if most != 0, value == 0 || value > most {
            throw Refusal(.notAllowed, "negotiated \(name) = \(value) is higher than the maximum (\(most))")
        }
    }

    private mutating func logIn(_ id: Int, _ mechanism: String, _ response: [UInt8]) throws(Refusal) {
        guard mechanism == "PLAIN" else { return }
        let parts = response.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Refusal(.accessRefused, "a malformed response of PLAIN") }
        let (user, password) = (String(decoding: parts[1], as: UTF8.self), String(decoding: parts[2], as: UTF8.self))
        if let users = options.users, users[user] != password {
            throw Refusal(
                .accessRefused,
                "Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
            )
        }
        connections[id]?.user = user
    }

    /// Closes a connection with a reason, and waits for the client's answer.
    mutating func closeConnection(
        _ id: Int,
        _ refusal: Refusal,
        over method: MethodID = MethodID(classID: 0, methodID: 0)
    ) {
        guard let phase = connections[id]?.phase, phase != .closing, connections[id]?.end == nil else { return }
        connections[id]?.send(.close(refusal, over: method))
        connections[id]?.phase = .closing
        releaseAll(of: id)
    }

    /// Ends a connection from the broker's side, once what stands in its output is written.
    mutating func drop(_ id: Int, _ end: ConnectionState.End = .close) {
        guard connections[id]?.end == nil else { return }
        if end == .reset { connections[id]?.output = [] }
        connections[id]?.end = end
        connections[id]?.isFrozen = false
        releaseAll(of: id)
    }

    /// A client has hung up, or its socket is closed.
    mutating func disconnect(_ id: Int) {
        guard connections[id] != nil else { return }
        releaseAll(of: id)
        connections[id] = nil
        serveQueues()
    }

    /// Gives up what belongs to a connection: its channels, and the queues that only it may use.
    private mutating func releaseAll(of id: Int) {
        for key in channels.keys where key.connection == id {
            release(key)
            channels[key] = nil
        }
        for name in queues.values.filter({ $0.owner == id }).map(\.name) { deleteQueue(name) }
    }

    // MARK: Faults

    /// Reads and writes nothing any more, but for what ends the connection if that has begun.
    mutating func freeze(_ id: Int) {
        guard connections[id]?.end == nil else { return }
        connections[id]?.isFrozen = true
    }

    /// Tells a client not to publish, once.
    mutating func block(_ id: Int, _ reason: String) {
        guard connections[id]?.phase == .open, connections[id]?.isBlocked == false else { return }
        connections[id]?.isBlocked = true
        connections[id]?.send(.blocked(reason))
    }

    /// Tells a client that it may publish again, if it was told not to.
    mutating func unblock(_ id: Int) {
        guard connections[id]?.isBlocked == true else { return }
        connections[id]?.isBlocked = false
        connections[id]?.send(.unblocked)
    }

    /// Has a fault take the place of what a frame or a method asks for.
    ///
    /// - Returns: Whether it does. One for messages alone, or for a channel where none is open, changes nothing.
    mutating func replace(with fault: Fault?, on key: ChannelKey, over method: MethodID) -> Bool {
        guard let fault, !fault.isAfterwards else { return false }
        switch fault.kind {
        case .nack, .returned: return false
        case .closeChannel where channels[key]?.isClosing != false: return false
        case .cut, .freeze, .ignore, .closeChannel, .closeConnection:
            apply(fault, on: key, over: method)
            return true
        }
    }

    mutating func apply(_ fault: Fault, on key: ChannelKey, over method: MethodID) {
        switch fault.kind {
        case .cut(let resets): drop(key.connection, resets ? .reset : .close)
        case .freeze: freeze(key.connection)
        case .closeChannel(let code, let text):
            guard key.number != 0 else { return }
            closeChannel(key, Refusal(code, text), over: method)
        case .closeConnection(let code, let text): closeConnection(key.connection, Refusal(code, text), over: method)
        // Of a message, which is handled where it has come whole.
        case .ignore, .nack, .returned: break
        }
    }
}

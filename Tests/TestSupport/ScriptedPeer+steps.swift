/// Steps that most scripts share.
extension ScriptedPeer {
    /// What the peer says in connection.tune.
    public struct Tune: Sendable {
        public var channelMax: UInt16 = 2047
        public var frameMax: UInt32 = 131_072
        public var heartbeat: UInt16 = 0
        /// Which RabbitMQ it says that it is; none if nil.
        public var version: String?

        public init(
            channelMax: UInt16 = 2047,
            frameMax: UInt32 = 131_072,
            heartbeat: UInt16 = 0,
            version: String? = nil
        ) {
            self.channelMax = channelMax
            self.frameMax = frameMax
            self.heartbeat = heartbeat
            self.version = version
        }

        var serverProperties: [UInt8] {
            var writer = PeerWriter()
            for (key, value) in version.map({ [("product", "RabbitMQ"), ("version", $0)] }) ?? [] {
                writer.shortString(key)
                writer.octet(UInt8(ascii: "S"))
                writer.longString(value)
            }
            return writer.bytes
        }
    }

    /// Waits for the next frame that is no heartbeat.
    public func next(_ what: String = "a frame") async throws -> PeerFrame {
        while true {
            let frame = try await nextFrame(what)
            if frame.type != PeerFrame.Kind.heartbeat { return frame }
        }
    }

    /// Waits for the next frame, which must be this method.
    @discardableResult
    public func expect(_ method: PeerMethod, channel: UInt16? = nil) async throws -> PeerFrame {
        let frame = try await next("\(method)")
        guard frame.method == method, channel == nil || channel == frame.channel else {
            throw PeerError("expected \(method) on channel \(channel.map(String.init) ?? "any"), got \(frame)")
        }
        return frame
    }

    /// Waits for a whole message.
    public func expectPublish(channel: UInt16 = 1) async throws -> Published {
        var fields = try await expect(.basicPublish, channel: channel).fields
        _ = fields.short()
        let exchange = fields.shortString()
        let routingKey = fields.shortString()
        let header = try await next("a content header")
        guard header.type == PeerFrame.Kind.header, header.channel == channel else {
            throw PeerError("expected a content header, got \(header)")
        }
        var reader = PeerReader(header.payload)
        _ = reader.long()
        let size = Int(reader.longLong())
        var published = Published(exchange: exchange, routingKey: routingKey, header: header)
        while published.body.count < size {
            let frame = try await next("a body")
            guard frame.type == PeerFrame.Kind.body, frame.channel == channel else {
                throw PeerError("expected a body, got \(frame)")
            }
            published.frameSizes.append(frame.payload.count + 8)
            published.body += frame.payload
        }
        return published
    }

    public struct Published: Sendable {
        public var exchange: String
        public var routingKey: String
        public var header: PeerFrame
        public var body: [UInt8] = []
        /// The sizes of its body frames, envelopes included.
        public var frameSizes: [Int] = []
    }

    // MARK: Opening

    /// Properties for connection.start that announce: bad credentials are answered with a close.
    public static var authenticationFailureClose: [UInt8] {
        var capabilities = PeerWriter()
        capabilities.shortString("authentication_failure_close")
        capabilities.raw([UInt8(ascii: "t"), 1])
        var properties = PeerWriter()
        properties.shortString("capabilities")
        properties.octet(UInt8(ascii: "F"))
        properties.block(capabilities.bytes)
        return properties.bytes
    }

    public func sendStart(mechanisms: String = "PLAIN EXTERNAL", properties: [UInt8] = []) async throws {
        try await send(.connectionStart, channel: 0) {
            $0.octet(0)
            $0.octet(9)
            $0.block(properties)
            $0.longString(mechanisms)
            $0.longString("en_US")
        }
    }

    public func sendTune(_ tune: Tune = Tune()) async throws {
        try await send(.connectionTune, channel: 0) {
            $0.short(tune.channelMax)
            $0.long(tune.frameMax)
            $0.short(tune.heartbeat)
        }
    }

    /// Plays the broker's part of the opening.
    public func handshake(_ tune: Tune = Tune()) async throws {
        try await expectProtocolHeader()
        try await sendStart(properties: tune.serverProperties)
        try await expect(.connectionStartOk, channel: 0)
        try await sendTune(tune)
        try await expect(.connectionTuneOk, channel: 0)
        try await expect(.connectionOpen, channel: 0)
        try await send(.connectionOpenOk, channel: 0) { $0.shortString("") }
    }

    /// Answers a channel.open.
    @discardableResult
    public func openChannel(_ number: UInt16? = 1) async throws -> UInt16 {
        let channel = try await expect(.channelOpen, channel: number).channel
        try await send(.channelOpenOk, channel: channel) { $0.longString("") }
        return channel
    }

    // MARK: Answers

    /// Confirms messages (basic.ack) on channel 1.
    public func sendAck(_ number: UInt64, multiple: Bool = false) async throws {
        try await send(.basicAck) {
            $0.longLong(number)
            $0.octet(multiple ? 1 : 0)
        }
    }

    /// Returns a message (basic.return) on channel 1: it reached no queue.
    public func sendReturn(of published: Published) async throws {
        try await send(.basicReturn) {
            $0.short(312)
            $0.shortString("NO_ROUTE")
            $0.shortString(published.exchange)
            $0.shortString(published.routingKey)
        }
        try await send(published.header, .body(channel: 1, published.body))
    }

    public func sendClose(
        _ method: PeerMethod,
        channel: UInt16,
        code: UInt16,
        text: String,
        cause: PeerMethod = PeerMethod(0, 0)
    ) async throws {
        try await send(method, channel: channel) {
            $0.short(code)
            $0.shortString(text)
            $0.short(cause.classID)
            $0.short(cause.methodID)
        }
    }

    /// Answers a queue.declare with the name it has, or another.
    public func declareQueue(named name: String? = nil, channel: UInt16 = 1) async throws {
        var fields = try await expect(.queueDeclare, channel: channel).fields
        _ = fields.short()
        let declared = fields.shortString()
        try await send(.queueDeclareOk, channel: channel) {
            $0.shortString(name ?? declared)
            $0.long(0)
            $0.long(0)
        }
    }

    /// Waits for a basic.consume.
    ///
    /// - Returns: Its consumer tag.
    public func expectConsume(channel: UInt16 = 1) async throws -> String {
        var fields = try await expect(.basicConsume, channel: channel).fields
        _ = fields.short()
        _ = fields.shortString()
        return fields.shortString()
    }

    /// Answers a basic.consume.
    @discardableResult
    public func startConsumer(channel: UInt16 = 1) async throws -> String {
        let tag = try await expectConsume(channel: channel)
        try await send(.basicConsumeOk, channel: channel) { $0.shortString(tag) }
        return tag
    }

    /// Answers a connection.close, and waits for the client to hang up.
    public func expectClose() async throws {
        try await expect(.connectionClose, channel: 0)
        try await send(.connectionCloseOk, channel: 0)
        try await expectEnd()
    }
}

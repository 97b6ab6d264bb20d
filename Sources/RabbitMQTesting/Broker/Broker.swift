internal import RabbitMQ

/// All of a broker as a value without a socket and without a clock: what clients send comes in as bytes, what they get stands
/// in their connections' output.
struct Broker {
    let options: InProcessBroker.Options
    /// The time, since the broker began.
    var now: Duration = .zero
    /// The wall clock's seconds since 1970 when the broker began.
    var startSeconds: UInt64 = 0
    var exchanges: [String: ExchangeState] = [:]
    var queues: [String: QueueState] = [:]
    var connections: [Int: ConnectionState] = [:]
    var channels: [ChannelKey: ChannelState] = [:]
    var script = FaultScript()
    var holdsConfirms = false
    /// Why clients that connect are not to publish; nil if they may.
    var blockedReason: String?
    /// Queues that may have something to deliver, to expire or to drop.
    var unserved: [String] = []
    private var serial = 0
    private let version: [Int]

    init(_ options: InProcessBroker.Options) {
        self.options = options
        version = options.version.split(separator: ".").prefix(2).compactMap { Int($0) }
        let builtIn: [(String, ExchangeState.Kind)] = [
            ("", .direct), ("amq.direct", .direct), ("amq.fanout", .fanout), ("amq.topic", .topic),
            ("amq.headers", .headers), ("amq.match", .headers),
        ]
        for (name, kind) in builtIn {
            exchanges[name] = ExchangeState(
                name: name,
                kind: kind,
                durable: true,
                autoDelete: false,
                isInternal: false,
                arguments: [:]
            )
        }
    }

    /// Whether it does as RabbitMQ from a version on, by the version that it says it is. One that can't be read is a late one.
    func isAtLeast(_ major: Int, _ minor: Int) -> Bool {
        version.count < 2 || (version[0], version[1]) >= (major, minor)
    }

    mutating func nextSerial() -> Int {
        serial += 1
        return serial
    }

    // MARK: Connections

    /// A client has connected.
    mutating func connect() -> Int {
        let id = nextSerial()
        connections[id] = ConnectionState(id: id)
        return id
    }

    /// Takes what a client has sent.
    mutating func receive(_ bytes: some Collection<UInt8>, from id: Int) {
        // Nobody would take it out again, however much a client sends that does not read its end.
        guard connections[id]?.end == nil else { return }
        connections[id]?.input.append(bytes)
        process(id)
    }

    /// Handles the frames that have come whole.
    mutating func process(_ id: Int) {
        if connections[id]?.phase == .header, !begin(id) { return serveQueues() }
        while true {
            do throws(Refusal) {
                guard let frame = try nextFrame(of: id) else { break }
                handle(frame, from: id)
                // At once: what the next frame does to the queue has to find that a waiting consumer has taken the message.
                serveQueues()
            } catch {
                refuse(error, on: ChannelKey(connection: id, number: 0), over: MethodID(classID: 0, methodID: 0))
                // Where its next frame begins is not known: its answer would never be found among what follows.
                drop(id)
                break
            }
        }
        serveQueues()
    }

    private mutating func nextFrame(of id: Int) throws(Refusal) -> Frame? {
        guard connections[id]?.end == nil, connections[id]?.isFrozen == false else { return nil }
        let frameMax = connections[id]?.frameMax ?? 0
        return try connections[id]?.input.next(frameMax: frameMax) ?? nil
    }

    /// Answers the protocol header.
    ///
    /// - Returns: Whether it has come.
    private mutating func begin(_ id: Int) -> Bool {
        guard let header = connections[id]?.input.takeProtocolHeader() else { return false }
        guard header == Array("AMQP".utf8) + [0, 0, 9, 1] else {
            connections[id]?.output += Array("AMQP".utf8) + [0, 0, 9, 1]
            drop(id)
            return false
        }
        connections[id]?.phase = .startOk
        let start = Reply.start(serverProperties)
        connections[id]?.send(start)
        return true
    }

    private var serverProperties: FieldTable {
        let capabilities: FieldTable = [
            "publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
            "consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
            "authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": true,
        ]
        return [
            "product": "RabbitMQ", "version": .string(options.version), "platform": "Swift, in this process",
            "capabilities": .table(capabilities),
        ]
    }

    private mutating func handle(_ frame: Frame, from id: Int) {
        guard frame.kind != .heartbeat else { return }
        connections[id]?.frameCount += 1
        let fault = script.isEmpty ? nil : takeFault(.frame(connections[id]?.frameCount ?? 0), id)
        let key = ChannelKey(connection: id, number: frame.channel)
        var method = MethodID(classID: 0, methodID: 0)
        if frame.kind == .method {
            var reader = WireReader(frame.payload)
            if let classID = try? reader.short(), let methodID = try? reader.short() {
                method = MethodID(classID: classID, methodID: methodID)
            }
        } else {
            method = MethodID(classID: 60, methodID: 40)
        }
        if replace(with: fault, on: key, over: method) { return }
        do throws(Refusal) {
            switch frame.kind {
            case .method: try handleMethod(frame, key)
            case .header: try handleHeader(frame, key)
            case .body: try handleBody(frame, key)
            case .heartbeat: break
            }
        } catch {
            refuse(error, on: key, over: method)
        }
        if let fault, fault.isAfterwards { apply(fault, on: key, over: method) }
    }

    private mutating func handleMethod(_ frame: Frame, _ key: ChannelKey) throws(Refusal) {
        let (method, request) = try Request.decode(frame.payload)
        var fault: Fault?
        if case .publish = request {
        } else if !script.isEmpty {
            let about = subject(of: request, key)
            fault = takeFault(.method(method.description, subject: about), key.connection)
        }
        if replace(with: fault, on: key, over: method) { return }
        if key.number == 0 {
            try handleConnection(request, key.connection)
        } else {
            try handleChannel(request, key)
        }
        if let fault, fault.isAfterwards { apply(fault, on: key, over: method) }
    }

    /// The fault that comes with an event on a connection.
    mutating func takeFault(_ event: FaultScript.Event, _ id: Int) -> Fault? {
        let connection = connections[id]
        return script.take(event, on: connection)
    }

    /// What a request is about: of what concerns deliveries the queue that they come from.
    private func subject(of request: Request, _ key: ChannelKey) -> String {
        switch request {
        case .ack(let tag, _), .nack(let tag, _, _), .reject(let tag, _):
            channels[key]?.deliveries.queue(of: tag) ?? ""
        case .cancel(let tag, _): channels[key]?.consumers[tag]?.queue ?? ""
        default: request.subject
        }
    }

    // MARK: Sending

    mutating func send(_ reply: Reply, to key: ChannelKey) {
        connections[key.connection]?.send(reply, channel: key.number)
    }

    /// Closes a channel, or the whole connection, as the code says.
    mutating func refuse(_ refusal: Refusal, on key: ChannelKey, over method: MethodID) {
        if refusal.code.isConnectionError || key.number == 0 {
            closeConnection(key.connection, refusal, over: method)
        } else {
            closeChannel(key, refusal, over: method)
        }
    }
}

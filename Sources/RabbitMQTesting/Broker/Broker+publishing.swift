internal import RabbitMQ

extension Broker {
    // MARK: The frames of a message

    mutating func beginContent(_ publish: Request.Publish, _ key: ChannelKey) throws(Refusal) {
        if publish.immediate { throw Refusal(.notImplemented, "immediate=true") }
        channels[key]?.content = ChannelState.Content(publish: publish)
    }

    mutating func handleHeader(_ frame: Frame, _ key: ChannelKey) throws(Refusal) {
        guard isListening(key) else { return }
        guard channels[key]?.content != nil, channels[key]?.content?.message == nil else {
            throw Refusal(.unexpectedFrame, "expected method, got a content header")
        }
        var reader = WireReader(frame.payload)
        _ = try reader.long()
        let size = try reader.longLong()
        guard size <= UInt64(clamping: options.maxMessageSize) else {
            channels[key]?.content = nil
            throw Refusal(
                .preconditionFailed,
                "message size \(size) is larger than configured max size \(options.maxMessageSize)"
            )
        }
        channels[key]?.content?.message = try ContentProperties.decode(reader.rest)
        channels[key]?.content?.properties = Array(reader.rest)
        channels[key]?.content?.size = Int(size)
        if size == 0 { try completeContent(key) }
    }

    mutating func handleBody(_ frame: Frame, _ key: ChannelKey) throws(Refusal) {
        guard isListening(key) else { return }
        guard channels[key]?.content?.message != nil, let size = channels[key]?.content?.size else {
            throw Refusal(.unexpectedFrame, "expected method, got a body")
        }
        channels[key]?.content?.message?.body += frame.payload
        let count = channels[key]?.content?.message?.body.count ?? 0
        guard count <= size else { throw Refusal(.unexpectedFrame, "a body that is longer than its header says") }
        if count == size { try completeContent(key) }
    }

    /// Whether frames of content are for a channel that hears them.
    private func isListening(_ key: ChannelKey) -> Bool {
        connections[key.connection]?.phase == .open && channels[key]?.isClosing == false
    }

    private mutating func completeContent(_ key: ChannelKey) throws(Refusal) {
        guard let content = channels[key]?.content, let message = content.message else { return }
        channels[key]?.content = nil
        let publish = content.publish
        var fault: Fault?
        if !script.isEmpty {
            let event = FaultScript.Event.publish(exchange: publish.exchange, routingKey: publish.routingKey)
            fault = takeFault(event, key.connection)
        }
        let method = MethodID(classID: 60, methodID: 40)
        var stored = StoredMessage(
            message: message,
            properties: content.properties,
            exchange: publish.exchange,
            routingKey: publish.routingKey
        )
        if let fault, !fault.isAfterwards {
            switch fault.kind {
            case .ignore: ignorePublished(key)
            // Without confirms a broker has no way to refuse it.
            case .nack where channels[key]?.lastNumber == nil: try accept(&stored, mandatory: publish.mandatory, key)
            case .nack: settlePublished(key, isNack: true)
            case .returned(let code, let text):
                send(stored, backTo: key, code, text)
                settlePublished(key, isNack: false)
            case .freeze:
                // The client counts it, and goes on counting once it is thawed.
                ignorePublished(key)
                apply(fault, on: key, over: method)
            case .cut, .closeChannel, .closeConnection: apply(fault, on: key, over: method)
            }
            return
        }
        try accept(&stored, mandatory: publish.mandatory, key)
        if let fault { apply(fault, on: key, over: method) }
    }

    private mutating func accept(_ message: inout StoredMessage, mandatory: Bool, _ key: ChannelKey) throws(Refusal) {
        guard let exchange = exchanges[message.exchange] else { throw .notFound(exchange: message.exchange) }
        if exchange.isInternal {
            throw Refusal(.accessRefused, "cannot publish to internal exchange '\(message.exchange)' in vhost '/'")
        }
        try check(message.message, key)
        try setReplyAddress(&message, key)
        if message.exchange.isEmpty, isReplyAddress(message.routingKey) {
            _ = deliverReply(message)
            // Before 4.2 the address of a reply was no queue: it arrived, and came back as well. Now it is one, also when
            // nobody waits there any more.
            if mandatory, !isAtLeast(4, 2) { send(message, backTo: key, .noRoute, "NO_ROUTE") }
            return settlePublished(key, isNack: false)
        }
        let outcome = publish(message)
        if mandatory, !outcome.isRouted { send(message, backTo: key, .noRoute, "NO_ROUTE") }
        settlePublished(key, isNack: outcome.isRefused)
    }

    private func check(_ message: Message, _ key: ChannelKey) throws(Refusal) {
        if let user = message.userID, let own = connections[key.connection]?.user, user != own {
            throw Refusal(
                .preconditionFailed,
                "user_id property set to '\(user)' but authenticated user was '\(own)'"
            )
        }
        if let expiration = message.expiration,
            !(Int(expiration).map { (0...QueueSettings.longestLife).contains($0) } ?? false)
        {
            throw Refusal(.preconditionFailed, "invalid expiration '\(expiration)'")
        }
        for header in ["CC", "BCC"] {
            if let value = message.headers?[header], value.arrayValue == nil {
                throw Refusal(.preconditionFailed, "invalid header '\(header)'")
            }
        }
    }

    private mutating func send(_ message: StoredMessage, backTo key: ChannelKey, _ code: ReplyCode, _ text: String) {
        let reply = Reply.returned(code, text, exchange: message.exchange, routingKey: message.routingKey)
        connections[key.connection]?.send(reply, channel: key.number, message)
    }

    // MARK: Confirms

    private mutating func nextNumber(_ key: ChannelKey) -> UInt64? {
        guard let last = channels[key]?.lastNumber else { return nil }
        channels[key]?.lastNumber = last + 1
        return last + 1
    }

    private mutating func ignorePublished(_ key: ChannelKey) {
        if let number = nextNumber(key) { channels[key]?.confirms.ignore(number) }
    }

    private mutating func settlePublished(_ key: ChannelKey, isNack: Bool) {
        guard let number = nextNumber(key) else { return }
        if holdsConfirms {
            channels[key]?.confirms.hold(HeldConfirms.Outcome(number: number, isNack: isNack))
        } else {
            send(isNack ? .nack(number, multiple: false) : .ack(number, multiple: false), to: key)
        }
    }

    // MARK: Into queues

    /// Puts a message into the queues that it reaches.
    mutating func publish(_ message: StoredMessage) -> (isRouted: Bool, isRefused: Bool) {
        var message = message
        message.blindKeys = message.keys(of: "BCC")
        let reached = route(message)
        // From 4.0 on RabbitMQ has a history of its own, and what a client has written there is a header as any other.
        if !isAtLeast(4, 0) { message.deaths = message.message.headers?["x-death"]?.arrayValue ?? [] }
        if message.message.headers?["BCC"] != nil {
            message.updateHeaders { $0["BCC"] = nil }
            if message.message.headers?.isEmpty == true { message.message.headers = nil }
        }
        var isRefused = false
        for name in reached where !enqueue(message, in: name) { isRefused = true }
        return (!reached.isEmpty, isRefused)
    }

    /// - Returns: Whether the queue has taken it.
    mutating func enqueue(_ message: StoredMessage, in name: String) -> Bool {
        guard let settings = queues[name]?.settings else { return true }
        if settings.overflow != .dropHead, queues[name]?.hasRoom(for: message) == false {
            if settings.overflow == .rejectPublishAndDeadLetter { deadLetter(message, from: name, .maxLength) }
            return false
        }
        var message = message
        let own = message.message.expiration.flatMap { Int($0) }.map { Duration.milliseconds($0) }
        let life = [own, settings.messageTTL].compactMap { $0 }.min()
        message.expiry = life.map { now + $0 }
        queues[name]?.append(message)
        unserved.append(name)
        return true
    }
}

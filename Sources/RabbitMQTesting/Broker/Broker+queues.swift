internal import RabbitMQ

extension Broker {
    mutating func handleQueue(_ request: Request, _ key: ChannelKey) throws(Refusal) {
        switch request {
        case .queueDeclare(let declared): try declare(declared, key)
        case .queuePurge(let name, let noWait):
            let name = try queueName(name, key)
            try requireUse(of: name, key)
            let count = queues[name]?.ready.count ?? 0
            queues[name]?.ready.removeAll()
            if !noWait { send(.queuePurgeOk(count), to: key) }
        case .queueDelete(let name, let ifUnused, let ifEmpty, let noWait):
            let name = try queueName(name, key)
            if queues[name] != nil {
                try requireUse(of: name, key)
                if queues[name]?.settings.isQuorum == true, ifUnused || ifEmpty {
                    throw Refusal(
                        .notImplemented,
                        "cannot delete queue '\(name)' in vhost '/'. queue.delete operations with if-unused or if-empty "
                            + "flag set are not supported by quorum queues"
                    )
                }
                if ifUnused, queues[name]?.consumers.isEmpty == false {
                    throw Refusal(.preconditionFailed, "queue '\(name)' in vhost '/' in use")
                }
                if ifEmpty, queues[name]?.ready.isEmpty == false {
                    throw Refusal(.preconditionFailed, "queue '\(name)' in vhost '/' is not empty")
                }
            }
            let count = queues[name]?.ready.count ?? 0
            deleteQueue(name)
            if !noWait { send(.queueDeleteOk(count), to: key) }
        default: break
        }
    }

    /// The queue that a name means: the last one that was declared on the channel, if it is empty.
    func queueName(_ name: String, _ key: ChannelKey) throws(Refusal) -> String {
        guard name.isEmpty else { return name }
        guard let last = channels[key]?.lastQueue, !last.isEmpty else {
            throw Refusal(.notFound, "no previously declared queue")
        }
        return last
    }

    /// Refuses a queue that isn't there, or is another connection's.
    func requireUse(of name: String, _ key: ChannelKey) throws(Refusal) {
        guard let queue = queues[name] else { throw .notFound(queue: name) }
        guard queue.owner == nil || queue.owner == key.connection else {
            throw Refusal(
                .resourceLocked,
                "cannot obtain exclusive access to locked queue '\(name)' in vhost '/'. It could be originally declared "
                    + "on another connection or the exclusive property value does not match that of the original declaration."
            )
        }
    }

    private mutating func declare(_ declared: Request.DeclareQueue, _ key: ChannelKey) throws(Refusal) {
        var declared = declared
        if isReplyQueue(declared.name) {
            // Passive or not: it is there if somebody waits for replies.
            guard declared.name == Self.directReplies || consumer(ofReplies: declared.name) != nil else {
                throw .notFound(queue: declared.name)
            }
            return send(.queueDeclareOk(declared.name, messages: 0, consumers: 1), to: key)
        }
        if declared.name.isEmpty, !declared.passive {
            guard declared.arguments["x-queue-type"]?.stringValue != "quorum" else {
                throw Refusal(.preconditionFailed, "cannot declare a server-named queue for type quorum")
            }
            declared.name = "amq.gen-\(nextSerial())"
        } else if !declared.passive {
            try Self.requireFreeName(declared.name)
        }
        if declared.passive {
            try requireUse(of: declared.name, key)
        } else if queues[declared.name] != nil {
            try requireUse(of: declared.name, key)
            try requireEqual(declared)
        } else {
            let settings = try QueueSettings(declared)
            let owner = declared.exclusive ? key.connection : nil
            queues[declared.name] = QueueState(declared, settings, id: nextSerial(), owner: owner, now: now)
        }
        if queues[declared.name]?.consumers.isEmpty == true { queues[declared.name]?.idleSince = now }
        channels[key]?.lastQueue = declared.name
        guard !declared.noWait, let queue = queues[declared.name] else { return }
        let answer = Reply.queueDeclareOk(
            declared.name,
            messages: queue.ready.count,
            consumers: queue.consumers.count
        )
        send(answer, to: key)
    }

    /// Refuses a name that is the broker's. Also one that it has given itself: who knows that only looks for the queue.
    static func requireFreeName(_ queue: String) throws(Refusal) {
        guard !queue.hasPrefix("amq.") else {
            throw Refusal(.accessRefused, "queue name '\(queue)' contains reserved prefix 'amq.*'")
        }
    }

    private func requireEqual(_ declared: Request.DeclareQueue) throws(Refusal) {
        guard let queue = queues[declared.name] else { return }
        func refuse(_ argument: String) -> Refusal {
            Refusal(
                .preconditionFailed,
                "inequivalent arg '\(argument)' for queue '\(declared.name)' in vhost '/'"
            )
        }
        // RabbitMQ answers another exclusivity as it does another connection's queue.
        guard (queue.owner != nil) == declared.exclusive else {
            throw Refusal(
                .resourceLocked,
                "cannot obtain exclusive access to locked queue '\(declared.name)' in vhost '/'"
            )
        }
        // An exclusive queue goes with its connection, whatever was said.
        if queue.durable != declared.durable, !declared.exclusive { throw refuse("durable") }
        if queue.autoDelete != declared.autoDelete { throw refuse("auto_delete") }
        for argument in Set(queue.arguments.keys).union(declared.arguments.keys).sorted()
        where queue.settings.knownArguments.contains(argument) {
            let unsaid: FieldValue? = argument == "x-queue-type" ? .string("classic") : nil
            let (one, other) = (queue.arguments[argument] ?? unsaid, declared.arguments[argument] ?? unsaid)
            if one == other || one?.intValue != nil && one?.intValue == other?.intValue { continue }
            throw refuse(argument)
        }
    }

    /// Deletes a queue with its bindings, and tells its consumers.
    mutating func deleteQueue(_ name: String) {
        guard let queue = queues.removeValue(forKey: name) else { return }
        for consumer in queue.consumers { endConsumer(consumer) }
        removeBindings { $0.destination == .queue(name) }
    }

    /// Cancels a consumer from the broker's side.
    mutating func endConsumer(_ consumer: QueueState.Consumer) {
        guard channels[consumer.channel]?.consumers.removeValue(forKey: consumer.tag) != nil else { return }
        send(.cancel(consumer.tag), to: consumer.channel)
    }

    /// Deletes a queue that goes with its last consumer, if that is gone.
    mutating func noteUnused(_ name: String) {
        guard let queue = queues[name], queue.consumers.isEmpty, queue.autoDelete else { return }
        deleteQueue(name)
    }
}

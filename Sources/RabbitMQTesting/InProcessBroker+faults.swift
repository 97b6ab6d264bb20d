public import RabbitMQ

/// What goes wrong.
extension InProcessBroker {
    // MARK: On an occasion

    /// Has something go wrong when something happens.
    ///
    /// ```swift
    /// broker.inject(.cut, at: .method("basic.ack"))
    /// broker.inject(.nack, at: .publish(routingKey: "orders"), skipping: 2, times: 3)
    /// broker.inject(.freeze, at: .delivery().on(connection: "workers"))
    /// ```
    ///
    /// Of several that fit, the one that was given first comes, until it is used up as often as it says. What one of them
    /// takes is not counted by those behind it.
    ///
    /// - Parameters:
    ///   - fault: What goes wrong.
    ///   - occasion: When.
    ///   - skips: How many such occasions pass before.
    ///   - times: At how many of them it goes wrong.
    public func inject(_ fault: Fault, at occasion: FaultOccasion, skipping skips: Int = 0, times: Int = 1) {
        server.update { $0.broker.script.add(fault, at: occasion, skipping: skips, times: times) }
    }

    /// How many calls of ``inject(_:at:skipping:times:)`` have not come as often as they say. Zero is what a test waits for
    /// that goes on once something has gone wrong; another number at its end says that an occasion never was.
    ///
    /// ```swift
    /// broker.inject(.cut, at: .method("basic.ack"))
    /// try await broker.wait { $0.pendingFaults == 0 }
    /// ```
    public var pendingFaults: Int { server.look { $0.script.count } }

    /// Forgets all faults that have not come.
    public func removeFaults() { server.update { $0.broker.script.removeAll() } }

    // MARK: Now

    /// Closes connections without a word.
    ///
    /// - Parameters:
    ///   - id: The number of the connection; all of them if nil.
    ///   - resets: Whether they are broken (TCP's RST).
    public func cut(_ id: Int? = nil, resets: Bool = false) {
        onConnections(id) { $0.drop($1, resets ? .reset : .close) }
    }

    /// Reads and writes nothing any more on connections that there are, as a machine that hangs.
    ///
    /// - Parameter id: The number of the connection; all that there are if nil.
    public func freeze(_ id: Int? = nil) { onConnections(id) { $0.freeze($1) } }

    /// Goes on with what was frozen, by ``freeze(_:)`` or by a fault.
    ///
    /// - Parameter id: The number of the connection; all of them if nil.
    public func thaw(_ id: Int? = nil) {
        onConnections(id) { broker, id in
            broker.connections[id]?.isFrozen = false
            broker.process(id)
        }
    }

    /// Tells clients not to publish: `connection.blocked`. What they publish all the same is taken.
    ///
    /// - Parameters:
    ///   - reason: Why.
    ///   - id: The number of the connection; if nil, all that there are, and those that come until ``unblock(_:)``, which
    ///     RabbitMQ tells only when they publish.
    public func block(_ reason: String = "low on memory", _ id: Int? = nil) {
        if id == nil { server.update { $0.broker.blockedReason = reason } }
        onConnections(id) { $0.block($1, reason) }
    }

    /// Tells clients that they may publish again.
    ///
    /// - Parameter id: The number of the connection; all of them, and those that come, if nil.
    public func unblock(_ id: Int? = nil) {
        if id == nil { server.update { $0.broker.blockedReason = nil } }
        onConnections(id) { $0.unblock($1) }
    }

    /// Closes connections with a reason: `connection.close`.
    ///
    /// - Parameters:
    ///   - code: The code that comes with it.
    ///   - text: What follows the code's name in the reply text.
    ///   - id: The number of the connection; all of them if nil.
    public func closeConnections(
        _ code: ReplyCode = .connectionForced,
        _ text: String = "by the test",
        _ id: Int? = nil
    ) {
        onConnections(id) { $0.closeConnection($1, Refusal(code, text)) }
    }

    /// Closes channels with a reason: `channel.close`.
    ///
    /// - Parameters:
    ///   - code: The code that comes with it.
    ///   - text: What follows the code's name in the reply text.
    ///   - id: The number of the connection whose channels are meant; of all of them if nil.
    public func closeChannels(_ code: ReplyCode, _ text: String = "by the test", _ id: Int? = nil) {
        onConnections(id) { broker, id in
            for key in broker.channels.keys.filter({ $0.connection == id }) {
                broker.closeChannel(key, Refusal(code, text), over: MethodID(classID: 0, methodID: 0))
            }
        }
    }

    /// Cancels the consumers of a queue, which stays: `basic.cancel`.
    ///
    /// - Parameter queue: The name of the queue.
    public func cancelConsumers(of queue: String) {
        server.update { state in
            for consumer in state.broker.queues[queue]?.consumers ?? [] { state.broker.endConsumer(consumer) }
            let now = state.broker.now
            state.broker.queues[queue]?.removeConsumers(now: now) { _ in true }
        }
    }

    /// Deletes a queue with its messages; its consumers are cancelled.
    ///
    /// - Parameter name: The name of the queue.
    public func deleteQueue(_ name: String) { server.update { $0.broker.deleteQueue(name) } }

    /// Goes down without a word, and is there again at once: connections are lost, and so are queues and exchanges that are not
    /// durable, and messages in classic queues that are not persistent (``/RabbitMQ/DeliveryMode/persistent``).
    ///
    /// A broker that stays away for a while refuses connections meanwhile: ``refuseConnections()`` before, and
    /// ``acceptConnections()`` after. What a test has given to come, such as faults, still comes.
    public func restart() { server.update { $0.broker.restart() } }

    /// Breaks connections that come, until ``acceptConnections()``: as where nobody listens.
    public func refuseConnections() { server.update { $0.refusesConnections = true } }

    /// Takes connections again.
    public func acceptConnections() { server.update { $0.refusesConnections = false } }

    private func onConnections(_ id: Int?, _ body: @Sendable (inout Broker, Int) -> Void) {
        server.update { state in
            for connection in state.broker.connections.keys.sorted() where id == nil || id == connection {
                body(&state.broker, connection)
            }
        }
    }

    // MARK: Confirms

    /// How confirms that were held go out.
    public struct ConfirmOrder: Sendable, Hashable {
        enum Kind { case each, reversed, together }

        let kind: Kind

        /// One by one, in the order of the messages.
        public static let each = ConfirmOrder(kind: .each)
        /// One by one, the last message's first.
        public static let reversed = ConfirmOrder(kind: .reversed)
        /// As few as possible, each for all messages up to its own (`multiple`); behind a message that never gets one
        /// (``Fault/ignore``) one by one.
        public static let together = ConfirmOrder(kind: .together)
    }

    /// Sends no confirms from now on: they wait for ``releaseConfirms(_:count:nacks:)``.
    public func holdConfirms() { server.update { $0.broker.holdsConfirms = true } }

    /// How many confirms wait.
    public var heldConfirms: Int { server.look { $0.heldConfirms } }

    /// Sends confirms that wait.
    ///
    /// - Parameters:
    ///   - order: In which order.
    ///   - count: How many of each channel at the most, the oldest ones; all by default.
    ///   - nacks: Whether they all say that the broker has not taken the message (`basic.nack`), though it has.
    public func releaseConfirms(_ order: ConfirmOrder = .each, count: Int = .max, nacks: Bool = false) {
        server.update { $0.broker.releaseConfirms(order, count: count, nacks: nacks) }
    }

    /// Sends what waits, and confirms at once from now on.
    public func confirmAtOnce() {
        server.update { state in
            state.broker.holdsConfirms = false
            state.broker.releaseConfirms(.each, count: .max, nacks: false)
        }
    }
}

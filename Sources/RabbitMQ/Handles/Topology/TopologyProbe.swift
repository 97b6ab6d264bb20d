internal import Logging

/// Asks a broker about exchanges and queues, on channels that it throws away when the broker closes them.
struct TopologyProbe {
    private let connection: Connection
    private var channel: Channel?

    init(_ connection: Connection) { self.connection = connection }

    /// What the broker has of an exchange, which is left as it is.
    mutating func state(of exchange: Topology.Exchange) async throws -> TopologyPlan.State {
        if let error = try await findExchange(exchange.name) {
            return error.code == .notFound ? .missing : .conflict(error)
        }
        // It exists, so that declaring it compares, and makes nothing.
        return try await ask(.exchangeDeclare(exchange.declaration())).map { .conflict($0) } ?? .exists
    }

    /// What the broker has of a queue, which is left as it is.
    mutating func state(of queue: Topology.Queue) async throws -> TopologyPlan.State {
        if let error = try await findQueue(queue.name) {
            return error.code == .notFound ? .missing : .conflict(error)
        }
        return try await ask(.queueDeclare(queue.declaration())).map { .conflict($0) } ?? .exists
    }

    /// Looks for an exchange. Returns the broker's error if it is not there.
    mutating func findExchange(_ name: String) async throws -> AMQPError? {
        try await ask(.exchangeDeclare(ClientMethod.DeclareExchange(name: name, type: "direct", passive: true)))
    }

    /// Looks for a queue. Returns the broker's error if it is not there, or another connection's own.
    mutating func findQueue(_ name: String) async throws -> AMQPError? {
        try await ask(.queueDeclare(ClientMethod.DeclareQueue(name: name, passive: true)))
    }

    mutating func close() async {
        await channel?.close()
        channel = nil
    }

    /// Calls a method. Returns the error for which the broker closed the channel; throws any other.
    private mutating func ask(_ method: ClientMethod) async throws -> AMQPError? {
        let channel =
            if let open = self.channel, open.closeReason == nil {
                open
            } else {
                try await connection.openChannel()
            }
        self.channel = channel
        do {
            _ = try await channel.core.call(method)
            return nil
        } catch let error as AMQPError where error.replyCode != nil && !error.isConnectionFatal {
            self.channel = nil
            // A queue whose node restarts is not missing: what is there can't be told now.
            if error.code == .notFound, error.isRetryable { throw error }
            return error
        }
    }

    /// Whether the broker has a type of exchange that a plugin brings. Returns the broker's error if not.
    ///
    /// RabbitMQ closes the whole connection for an unknown type, so this is asked on one of its own. It looks at the
    /// type first, and then refuses to declare the default exchange, whatever the type: nothing is made
    /// (`rabbit_channel:handle_method/6` for `exchange.declare`).
    func findType(_ type: ExchangeType) async throws -> AMQPError? {
        var configuration = connection.core.configuration
        // Its socket is this connection's: a second one on it would end both.
        guard configuration.connectedSocket == nil else {
            throw AMQPError(
                .unsupported,
                "whether the broker has the exchange type \(type.rawValue) is asked on a connection opened for it, "
                    + "which a configuration with a connectedSocket can't open"
            )
        }
        configuration.recovery = .none
        configuration.logger = Logger(label: "rabbitmq.probe") { _ in SwiftLogNoOpLogHandler() }
        return try await Connection.withConnection(configuration) { connection in
            do {
                let channel = try await connection.openChannel()
                _ = try await channel.core.call(
                    .exchangeDeclare(ClientMethod.DeclareExchange(name: "", type: type.rawValue))
                )
                return nil
            } catch let error as AMQPError where error.replyCode != nil {
                return error.code == .accessRefused ? nil : error
            }
        }
    }
}

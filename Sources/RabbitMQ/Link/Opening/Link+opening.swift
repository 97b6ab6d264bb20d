internal import Logging
internal import Synchronization

extension Link {
    /// Connects to the first endpoint that lets the client in.
    ///
    /// - Parameters:
    ///   - first: With which of the endpoints to begin.
    ///   - level: At which level to tell of endpoints that failed where another one did not.
    /// - Returns: Also which of the endpoints it was.
    /// - Throws: What ``open(_:endpoint:wishes:)`` throws, for one endpoint or for all together.
    static func openFirst(
        _ configuration: ConnectionConfiguration,
        wishes: Handshake.Wishes,
        beginningWith first: Int = 0,
        logging level: Logger.Level = .warning,
        _ makeLink: () -> Link
    ) async throws -> (Link, ConnectionParameters, endpoint: Int) {
        if configuration.connectedSocket != nil {
            let (link, parameters) = try await open(makeLink(), wishes: wishes)
            return (link, parameters, 0)
        }
        let endpoints = configuration.endpoints
        let inTurn = endpoints.indices.map { ($0 + first) % endpoints.count }
        var failures: [(endpoint: ConnectionConfiguration.Endpoint, error: AMQPError)] = []
        for index in configuration.endpointOrder == .shuffled ? inTurn.shuffled() : inTurn {
            let endpoint = endpoints[index]
            do {
                let (link, parameters) = try await open(makeLink(), endpoint: endpoint, wishes: wishes)
                report(failures, to: configuration.logger, level)
                return (link, parameters, index)
            } catch let error as AMQPError {
                if isSameElsewhere(error) { throw error }
                failures.append((endpoint, error))
            }
        }
        throw EndpointFailures(failures: failures).error
    }

    /// Tells of endpoints that failed where another one did not: nobody else is told.
    private static func report(
        _ failures: [(endpoint: ConnectionConfiguration.Endpoint, error: AMQPError)],
        to logger: Logger,
        _ level: Logger.Level
    ) {
        for (endpoint, error) in failures {
            logger.log(
                level: level,
                "an endpoint could not be connected to",
                metadata: [LogKey.endpoint: "\(endpoint)", LogKey.reason: "\(error)"]
            )
        }
    }

    /// Whether other brokers would say so too: what is wrong with the files of TLS, or not allowed; not what ails one, nor
    /// an argument that only some take, such as small frames.
    private static func isSameElsewhere(_ error: AMQPError) -> Bool {
        if error.code == .invalidArgument { return error.underlying is TLSFailure }
        return error.replyCode != nil && !error.isRetryable
    }

    /// Connects and logs in.
    ///
    /// - Throws: A typed error when it fails or takes longer than the configuration's timeout; `CancellationError`. The
    ///   link has ended then, or ends at once.
    static func open(
        _ link: Link,
        endpoint: ConnectionConfiguration.Endpoint? = nil,
        wishes: Handshake.Wishes
    ) async throws -> (Link, ConnectionParameters) {
        let configuration = link.configuration
        let opened = OneShot<ConnectionParameters>()
        let progress = ConnectProgress(logger: configuration.logger)
        let timeout = configuration.connectTimeout
        let deadline = MonotonicTime.now + timeout.nanoseconds
        // Until there is a connection nothing is done on the link's queue: many that connect at the same time would take a
        // thread of Dispatch's each.
        let connecting = Task(executorPreference: ConnectExecutor.shared) {
            do throws(AMQPError) {
                let socket = try await connect(configuration, to: endpoint, progress, deadline: deadline)
                progress.reach(.loggingIn)
                await link.logIn(over: socket, Handshake(wishes), opened)
            } catch {
                opened.fail(error)
            }
        }
        do {
            let parameters = try await withDeadline(after: timeout) {
                opened.fail(progress.timedOut(after: timeout))
            } _: {
                try await opened.value()
            }
            return (link, parameters)
        } catch {
            connecting.cancel()
            if progress.isLoggingIn {
                link.onQueue { $0.end(AMQPError(.connectionClosed, "connecting was given up")) }
            }
            throw error
        }
    }

    private static func connect(
        _ configuration: ConnectionConfiguration,
        to endpoint: ConnectionConfiguration.Endpoint?,
        _ progress: ConnectProgress,
        deadline: UInt64
    ) async throws(AMQPError) -> sending Socket {
        if let descriptor = configuration.connectedSocket { return try Socket.adopt(descriptor: descriptor) }
        guard let endpoint = endpoint ?? configuration.endpoints.first else {
            throw EndpointFailures(failures: []).error
        }
        return try await Socket.connect(
            to: endpoint,
            port: configuration.port(of: endpoint),
            tls: configuration.tls,
            deadline: deadline,
            progress
        )
    }

    /// Begins to log in.
    func logIn(over socket: sending Socket, _ handshake: Handshake, _ opened: OneShot<ConnectionParameters>) {
        // It may have been given up meanwhile.
        guard case .idle = phase, !opened.isSettled else { return }
        phase = .opening(handshake, opened)
        attach()
        self.socket = socket
        outbox.frameMax = Int(configuration.frameMax)
        do throws(AMQPError) {
            try watch(socket)
            try outbox.append(from: sender) { buffer throws(AMQPError) in
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
        case .send(let method): try outbox.send(method, channel: 0, from: sender)
        case .agree(let parameters, let methods):
            self.parameters = parameters
            let isLate = parameters.version?.isAtLeast(4, 3) ?? false
            nackSparesLimit.store(isLate, ordering: .relaxed)
            cancelsLateConsumers.store(isLate, ordering: .relaxed)
            for method in methods { try outbox.send(method, channel: 0, from: sender) }
            frames.scanner.frameMax = parameters.frameMax
            outbox.frameMax = parameters.frameMax
            numbers.withLock { $0 = ChannelNumbers(max: parameters.channelMax) }
        case .opened:
            guard let parameters else { throw AMQPError(.internalError, "opened without having agreed on anything") }
            phase = .open
            frames.scanner.isOpen = true
            startHeartbeats(interval: parameters.heartbeat)
            opened.succeed(parameters)
        case .refused(let error):
            try outbox.send(.connectionCloseOk, channel: 0, from: sender)
            flushFarewell()
            throw error
        case .failed(let error): throw error
        }
    }
}

internal import Logging
internal import Synchronization

/// A link that is open.
struct OpenedLink: Sendable {
    let link: Link
    let parameters: ConnectionParameters
    /// Which of the endpoints it is to.
    let endpoint: Int
}

extension ConnectionCore {
    /// Connects for the first time; tries on only if the configuration says so.
    static func connect(_ configuration: ConnectionConfiguration) async throws -> ConnectionCore {
        var configuration = configuration
        // Nobody can connect it again.
        if configuration.connectedSocket != nil { configuration.recovery = .none }
        let policy = configuration.recovery
        var tries = RecoveryState.connecting(
            policy,
            canChangeLogin: configuration.credentials.isProvided,
            now: MonotonicTime.now
        )
        while true {
            let base = LinkBase(configuration)
            do {
                let opened = try await openLink(configuration) { [configuration] in
                    Link(configuration: configuration, base: base)
                }
                let core = ConnectionCore(opened, configuration, base)
                await core.noteEarlyEnd(of: opened.link)
                return core
            } catch let error as AMQPError {
                guard policy.isEnabled, policy.retriesFirstConnect,
                    tries.failed(error),
                    case .tryAfter(let delay, _) = tries.next(now: MonotonicTime.now, random: .random(in: 0...1))
                else { throw error }
                configuration.logger.warning(
                    "could not connect yet",
                    metadata: [LogKey.reason: "\(error)", LogKey.nextTryIn: "\(delay)"]
                )
                try await DeadlineTimer.shared.sleep(for: delay)
            }
        }
    }

    /// Opens a channel, on another link if one is lost meanwhile.
    ///
    /// - Parameter publishesAgain: Whether messages are kept until they are confirmed, and published again; if nil, as the
    ///   configuration says.
    func openChannel(publishesAgain: Bool? = nil) async throws -> ChannelCore {
        let publishesAgain = publishesAgain ?? (configuration.recovery.unconfirmed == .resend)
        let start = MonotonicTime.now
        while true {
            let link = try await readyLink(since: start)
            do {
                return try await openChannel(on: link, publishesAgain: publishesAgain)
            } catch let error as AMQPError where error.isConnectionFatal {
                // Nothing is left of it. What comes next says whether there is another link, and whether to wait for it.
                guard configuration.recovery.isEnabled, await link.ended.wait(atMost: .seconds(1)) != nil,
                    state.withLock({ $0.link !== link || $0.recovery.outage != nil })
                else { throw error }
            }
        }
    }

    private func openChannel(on link: Link, publishesAgain: Bool) async throws -> ChannelCore {
        let session = try await ChannelSession.open(on: link, publishesAgain: publishesAgain)
        let channel = ChannelCore(session, of: self)
        add(channel)
        // It may have ended before anybody could say so, or be about to have: its end is known a moment later.
        if !session.isOpen, let reason = await session.closed.wait(atMost: .seconds(1)) {
            channel.ended(session, reason, isReplaced: channel.decideReplacement(of: session, after: reason))
        }
        // The next link may have been there before the channel was among those that it brings back.
        if let reason = channel.closeReason, reason.isConnectionFatal { throw reason }
        return channel
    }

    /// Asks for credentials, and opens a link.
    ///
    /// - Parameters:
    ///   - first: With which of the endpoints to begin.
    ///   - level: At which level to tell of endpoints that failed where another one did not.
    ///   - makeLink: Makes a link.
    static func openLink(
        _ configuration: ConnectionConfiguration,
        beginningWith first: Int = 0,
        logging level: Logger.Level = .warning,
        _ makeLink: () -> Link
    ) async throws -> OpenedLink {
        let login: Login
        do {
            login = try await configuration.credentials.login(within: configuration.connectTimeout)
        } catch {
            configuration.connectedSocket.map(Socket.close)
            throw error
        }
        let wishes = Handshake.Wishes(
            mechanism: login.mechanism,
            response: login.response.bytes,
            virtualHost: configuration.virtualHost,
            channelMax: configuration.channelMax,
            frameMax: configuration.frameMax,
            heartbeat: configuration.heartbeatSeconds,
            clientProperties: ClientProperties.table(configuration)
        )
        let (link, parameters, endpoint) = try await Link.openFirst(
            configuration,
            wishes: wishes,
            beginningWith: first,
            logging: level,
            makeLink
        )
        SecretRenewal.start(on: link, credentials: configuration.credentials, login: login)
        return OpenedLink(link: link, parameters: parameters, endpoint: endpoint)
    }
}

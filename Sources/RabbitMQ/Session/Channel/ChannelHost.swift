/// What a channel has beyond the end of its session. A session, which belongs to one link, tells it what ends.
protocol ChannelHost: AnyObject, Sendable {
    /// The session at present, or the last one.
    var session: ChannelSession { get }

    /// Decides, and notes it: whether another session takes the place of one that ends. If so, calls and publishers wait from
    /// here on. Called once for it, before anybody knows of the end; on the link's queue, but for a session that the host
    /// itself ends, or finds ended when it gets it.
    func decideReplacement(of session: ChannelSession, after reason: AMQPError) -> Bool

    /// A session has ended, and all that belongs to it.
    func ended(_ session: ChannelSession, _ reason: AMQPError, isReplaced: Bool)

    /// Takes the messages that the session leaves unconfirmed, in order, to publish them again. Called under the session's
    /// lock, so that they are nowhere twice or missing for whoever looks.
    ///
    /// - Returns: nil, or why it does not take them.
    func keep(_ messages: [UnconfirmedMessage]) -> AMQPError?

    /// Decides, and begins it: whether a consumer that the broker has cancelled is taken up again. Called on the link's queue.
    func beginTakingUpAgain(_ consumer: Consumer, _ reason: AMQPError) -> Bool

    /// A consumer has ended, or is about to.
    func forget(_ consumer: Consumer)

    /// Whether a session that ends is followed by another: it has not ended, nobody has closed it or its connection, and recovery
    /// is on. Decides whether settling a delivery of an earlier session does nothing or throws.
    var goesOn: Bool { get }

    /// Nobody holds the channel any more.
    func release()
}

/// What a connection has beyond the end of its link.
protocol ConnectionHost: AnyObject, Sendable {
    /// Nobody holds the connection any more.
    func release()
}

/// Keeps a channel open while anything that a user holds needs it, and closes it after that.
final class ChannelLease: Sendable {
    let host: any ChannelHost
    private let connection: ConnectionLease

    var session: ChannelSession { host.session }

    init(host: any ChannelHost, connection: ConnectionLease) {
        self.host = host
        self.connection = connection
    }

    deinit { host.release() }
}

/// Keeps a connection open while anything that a user holds needs it, and closes it after that.
final class ConnectionLease: Sendable {
    let host: any ConnectionHost

    init(host: any ConnectionHost) { self.host = host }

    deinit { host.release() }
}

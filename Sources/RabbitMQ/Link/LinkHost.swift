/// What a connection has beyond the end of its link.
protocol LinkHost: AnyObject, Sendable {
    /// Decides, and notes it: whether another link takes the place of one that was open and ends. If so, the connection is
    /// down from here on. Called once for it, before anybody knows of the end; on its queue, but for one that the host finds
    /// ended when it gets it.
    func decideReplacement(of link: Link, after reason: AMQPError) -> Bool

    /// A link that was open has ended, and all that belongs to it.
    func ended(_ link: Link, _ reason: AMQPError, isReplaced: Bool)

    /// The broker takes no messages, and says why; nil if it takes them again, or if the link that it had blocked has ended.
    /// Called on the link's queue.
    func blocked(_ reason: String?)
}

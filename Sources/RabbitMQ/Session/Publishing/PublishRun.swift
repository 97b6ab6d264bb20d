/// What unconfirmed messages that were published in a row have in common.
///
/// Each message counts a use of it when it is published and gives it up when it is confirmed. If that were the channel
/// itself, the two threads would take its count from each other for every message, a tenth of what publishing with confirms
/// costs; of this, the one counts a new one while the other gives up an old one.
final class PublishRun: Sendable {
    /// How many messages one is for, at the most.
    static let length = 128

    let session: ChannelSession
    let exchange: String

    init(session: ChannelSession, exchange: String) {
        self.session = session
        self.exchange = exchange
    }
}

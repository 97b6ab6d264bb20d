internal import Synchronization

extension ChannelSession {
    /// A made-up consumer tag that the channel does not use. Short, so that comparing them costs little.
    func nextConsumerTag() -> String {
        while true {
            let tag = "\(Consumer.madeUpTag)\(consumerTags.add(1, ordering: .relaxed).newValue)"
            if !state.withLock({ $0.consumerTags.contains(tag) }) { return tag }
        }
    }
}

extension Consumer {
    /// What a made-up tag begins with.
    static let madeUpTag = "ctag-"
}

/// The number in the last consumer tag that was made up. All have three digits at least: a table finds tags by their last
/// three characters.
private let consumerTags = Atomic<Int>(99)

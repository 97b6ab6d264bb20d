internal import Synchronization

extension ChannelSession {
    /// A made-up consumer tag that the channel does not use. Short, so that comparing them costs little.
    func nextConsumerTag() -> String {
        while true {
            let tag = "\(Consumer.madeUpTag)\(lastMadeUpNumber.add(1, ordering: .relaxed).newValue)"
            if !state.withLock({ $0.consumerTags.contains(tag) }) { return tag }
        }
    }
}

extension Consumer {
    /// What a made-up tag begins with.
    static let madeUpTag = "ctag-"
}

/// The number in the last consumer tag that was made up, in the process. The first is 100: ``ConsumerTable`` finds tags by
/// their last three bytes, and with fewer digits the hyphen would count as one, so that more tags push each other out.
private let lastMadeUpNumber = Atomic<Int>(99)

internal import Synchronization

/// What is special about publishing on a channel.
struct PublishingMode: OptionSet, AtomicRepresentable {
    let rawValue: UInt8

    typealias AtomicRepresentation = UInt8.AtomicRepresentation

    static func encodeAtomicRepresentation(_ value: consuming PublishingMode) -> AtomicRepresentation {
        UInt8.encodeAtomicRepresentation(value.rawValue)
    }

    static func decodeAtomicRepresentation(_ representation: consuming AtomicRepresentation) -> PublishingMode {
        PublishingMode(rawValue: UInt8.decodeAtomicRepresentation(representation))
    }

    /// Nothing: a message is handed over, and that is all.
    static let plain: PublishingMode = []
    /// The broker confirms each message.
    static let confirming = PublishingMode(rawValue: 1)
    /// The broker has stopped the flow (channel.flow).
    static let stopped = PublishingMode(rawValue: 2)
    /// A commit is not answered yet, or a call that waited for it is about to be sent: nothing may be published before.
    static let committing = PublishingMode(rawValue: 4)

    /// Nothing may be published: the channel is closed, or is made again on another link.
    static let closed = PublishingMode(rawValue: 8)

    /// Each message is published within a span, and so the slow way.
    static let traced = PublishingMode(rawValue: 16)

    /// Nothing is published at once: whoever has the channel has to look first whether it is to be published at all.
    static let questioned = PublishingMode(rawValue: 32)

    /// Whether publishers wait.
    var isHeld: Bool { !isDisjoint(with: [.stopped, .committing]) }
}

/// The method and header frames of the last message, as rabbitmq-c encoded them, to be used again for a message that
/// differs in its body and its channel only.
///
/// Most messages of a publisher do. The rarer properties are the same if they are the same object, as those of a message are
/// that is published again and again, with other bodies: to compare them would take longer than to encode them.
///
/// Not Sendable: the outbox holds it under its lock.
final class PublishTemplate {
    private var block: UnsafeMutableRawPointer
    private var methodSize = 0
    private var size = 0

    private var exchange = ""
    private var routingKey = ""
    private var mandatory = false
    private var contentType: String?
    private var deliveryMode: DeliveryMode?
    private var priority: UInt8?
    private var timestampSeconds: UInt64?
    private var extras: MessageExtras?
    /// Those of the last message, if they are not the kept ones: only what comes twice is worth being kept.
    private var lastExtras: MessageExtras?

    /// The method's frame of a message whose rarer properties were new, as those are of all messages that have numbers, times or
    /// traces of their own. Apart from the rest, which is kept for others.
    private final class MethodFrame {
        let block = UnsafeMutableRawPointer.allocate(byteCount: PublishTemplate.methodCapacity, alignment: 16)
        var size = 0
        var exchange = ""
        var routingKey = ""
        var mandatory = false

        deinit { block.deallocate() }

        @inline(__always)
        func fits(_ exchange: String, _ routingKey: String, _ mandatory: Bool) -> Bool {
            size > 0 && mandatory == self.mandatory && PublishTemplate.isSame(routingKey, self.routingKey)
                && PublishTemplate.isSame(exchange, self.exchange)
        }
    }

    /// How many bytes ``writeMethod(to:exchange:routingKey:mandatory:channel:)`` writes at most: two names of 255 bytes, and
    /// what is around them.
    static let methodCapacity = 544
    private var methodFrame: MethodFrame?

    /// How many bytes it writes at most: both frames without the rarer properties, two names of 255 bytes and a content type
    /// of 255 in their envelopes; or what the rarer ones took.
    private(set) var capacity = 1024
    /// The smallest limit of frames there may be: what is kept fits into a frame of whatever link.
    private static let mostKept = 4096

    init() { block = .allocate(byteCount: capacity, alignment: 16) }

    deinit { block.deallocate() }

    @inline(__always)
    private func fits(_ message: borrowing Message, _ exchange: String, _ routingKey: String, _ mandatory: Bool) -> Bool
    {
        message.timestampSeconds == timestampSeconds && message.deliveryMode == deliveryMode
            && message.priority == priority && mandatory == self.mandatory && Self.isSame(routingKey, self.routingKey)
            && message.extras === extras && Self.isSame(exchange, self.exchange) && isSameType(message.contentType)
    }

    /// Whether a text is the kept one, byte for byte.
    ///
    /// `==` alone compares characters: the Kelvin sign (U+212A) equals a K, and the message would go to another queue. What is
    /// kept is ASCII, and every other spelling of an ASCII text has more bytes: so the same length and `==` mean the same
    /// bytes.
    @inline(__always)
    private static func isSame(_ text: String, _ kept: String) -> Bool {
        text.utf8.count == kept.utf8.count && text == kept
    }

    @inline(__always)
    private func isSameType(_ type: String?) -> Bool {
        guard let type, let contentType else { return type == nil && contentType == nil }
        return Self.isSame(type, contentType)
    }

    /// Writes the frames to `target`, which has room for ``capacity`` bytes, if the message is like the last.
    ///
    /// - Returns: How many bytes, 0 if it is not.
    @inline(__always)
    func write(
        to target: UnsafeMutableRawPointer,
        message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        channel: UInt16
    ) -> Int {
        guard size > 0, fits(message, exchange, routingKey, mandatory) else { return 0 }
        target.copyMemory(from: block, byteCount: size)
        target.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
        target.storeBytes(of: channel.bigEndian, toByteOffset: methodSize + 1, as: UInt16.self)
        target.storeBytes(of: UInt64(message.body.count).bigEndian, toByteOffset: methodSize + 11, as: UInt64.self)
        return size
    }

    /// Writes the method's frame alone to `target`, which has room for ``methodCapacity`` bytes, if it is like that of the last
    /// message whose rarer properties were new.
    ///
    /// - Returns: How many bytes, 0 if it is not.
    func writeMethod(
        to target: UnsafeMutableRawPointer,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        channel: UInt16
    ) -> Int {
        guard let methodFrame, methodFrame.fits(exchange, routingKey, mandatory) else { return 0 }
        target.copyMemory(from: methodFrame.block, byteCount: methodFrame.size)
        target.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
        return methodFrame.size
    }

    private func keepMethod(
        _ frame: UnsafeRawPointer,
        size: Int,
        exchange: String,
        routingKey: String,
        mandatory: Bool
    ) {
        if let methodFrame, methodFrame.fits(exchange, routingKey, mandatory) { return }
        guard size <= Self.methodCapacity, exchange.isASCII, routingKey.isASCII else { return }
        let kept = methodFrame ?? MethodFrame()
        kept.block.copyMemory(from: frame, byteCount: size)
        kept.size = size
        kept.exchange = exchange
        kept.routingKey = routingKey
        kept.mandatory = mandatory
        methodFrame = kept
    }

    private func noteExtras(_ extras: MessageExtras?) -> Bool {
        guard let extras, extras !== lastExtras else {
            lastExtras = nil
            return true
        }
        lastExtras = extras
        return false
    }

    /// Keeps the frames of a message that was just encoded.
    func keep(
        _ frames: UnsafeRawPointer,
        size: Int,
        methodSize: Int,
        message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool
    ) {
        guard noteExtras(message.extras) else {
            keepMethod(frames, size: methodSize, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
            return
        }
        guard size <= Self.mostKept, exchange.isASCII, routingKey.isASCII,
            message.contentType?.isASCII ?? true
        else { return }
        if size > capacity {
            block.deallocate()
            capacity = size
            block = .allocate(byteCount: capacity, alignment: 16)
        }
        block.copyMemory(from: frames, byteCount: size)
        extras = message.extras
        self.size = size
        self.methodSize = methodSize
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
        contentType = message.contentType
        deliveryMode = message.deliveryMode
        priority = message.priority
        timestampSeconds = message.timestampSeconds
    }
}

extension String {
    fileprivate var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }
}

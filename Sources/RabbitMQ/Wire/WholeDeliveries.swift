/// Finds the deliveries of one channel whose three frames (basic.deliver, content header, one body frame) have all come:
/// most have.
struct WholeDeliveries {
    struct Delivery {
        var peek: DeliveryPeek
        var bodySize: Int
        /// Where the next frame begins.
        var end: Int
    }

    private let channel: UInt16
    private let bytes: UnsafeRawBufferPointer
    private let scanner: FrameScanner

    init(of channel: UInt16, in bytes: UnsafeRawBufferPointer, scanner: FrameScanner) {
        self.channel = channel
        self.bytes = bytes
        self.scanner = scanner
    }

    /// The delivery that begins at `offset`, if there is one.
    @inline(__always)
    func next(from offset: Int) -> Delivery? {
        guard case .frame(let method, let afterMethod) = scanner.next(in: bytes, from: offset),
            method.channel == channel
        else { return nil }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[method.payload])
        guard method.isDelivery(payload),
            case .frame(let header, let afterHeader) = scanner.next(in: bytes, from: afterMethod),
            header.kind == .header, header.channel == channel,
            case .frame(let body, let end) = scanner.next(in: bytes, from: afterHeader),
            body.kind == .body, body.channel == channel,
            let size = HeaderDecoder.bodySize(bytes, header.payload), size > 0, size == body.payload.count,
            let peek = DeliveryPeek(payload)
        else { return nil }
        return Delivery(peek: peek, bodySize: body.payload.count, end: end)
    }
}

extension FrameScanner.Frame {
    /// Whether it is a basic.deliver on a channel.
    @inline(__always)
    func isDelivery(_ payload: UnsafeRawBufferPointer) -> Bool {
        kind == .method && channel != 0 && payload.count >= 4
            && payload.bigEndian(UInt32.self, at: 0) == MethodDecoder.deliver
    }
}

internal import TestSupport

/// The broker's end of a session, on a thread of its own: it answers what the client asks, delivers, confirms, returns and
/// closes, and a ``Mutator`` changes all of that.
final class FuzzPeer {
    struct ChannelState {
        var consumers: [[UInt8]] = []
        var nextTag: UInt64 = 1
        var isConfirming = false
        var published: UInt64 = 0
        var confirmed: UInt64 = 0
        var header: PeerFrame?
        var begun = (exchange: [UInt8](), key: [UInt8]())
        var bodyLeft = 0
    }

    private let wire: FuzzWire
    var random: SplitMix
    var mutator: Mutator
    var channels: [UInt16: ChannelState] = [:]
    private var isOver = false
    private var idles: Int
    /// How long the client may say nothing, in milliseconds.
    private let idle: Int32
    private let liveliness: Double
    private let frameMax: UInt32
    private(set) var clientsFault: String?

    init(descriptor: Int32, random: SplitMix, idle: Int32) {
        self.random = random
        self.idle = idle
        mutator = Mutator(SplitMix(seed: self.random.next()))
        idles = self.random.number(1...5)
        liveliness = self.random.pick([0.1, 0.3, 0.8])
        frameMax = self.random.pick([0, 4096, 8192, 131_072, 131_072, 1 << 20])
        let splits = self.random.chance(0.1)
        wire = FuzzWire(descriptor: descriptor, splits: splits ? SplitMix(seed: self.random.next()) : nil)
    }

    /// Plays its part, and closes its end.
    func run() {
        if let header = read(FuzzWire.protocolHeaderSize) {
            if header != [65, 77, 81, 80, 0, 0, 9, 1] { clientsFault = "no protocol header" }
            start()
        }
        while !isOver { turn() }
        wire.close()
    }

    private func turn() {
        if wire.hasInput(within: idle) { return receive() }
        idles -= 1
        if idles >= 0 { return happen() }
        end()
    }

    /// How a session ends of which the client has had enough, or the broker.
    private func end() {
        switch random.number(0...9) {
        case 0...1: emit(mutator.close(.connectionClose, channel: 0))
        case 2: wire.endWriting()
        default: isOver = true
        }
        // What the client says to that; it closes its end at last.
        while !isOver, wire.hasInput(within: 400) { receive() }
        isOver = true
    }

    // MARK: Reading

    /// So many bytes; nil if they don't come.
    private func read(_ count: Int) -> [UInt8]? {
        while wire.bytes.count < count {
            guard wire.receive() else {
                isOver = true
                return nil
            }
        }
        return wire.take(count)
    }

    private func receive() {
        guard wire.receive() else { return isOver = true }
        do {
            while !isOver, let frame = try wire.nextFrame() { answer(frame) }
        } catch {
            isOver = true
            clientsFault = "\(error)"
            return
        }
        if random.chance(liveliness) { happen() }
    }

    // MARK: Sending

    func emit(_ frames: PeerFrame...) { emit(frames) }

    func emit(_ frames: [PeerFrame]) {
        for frame in frames where !isOver {
            for step in mutator.steps(for: frame) {
                switch step {
                case .send(let bytes): if !wire.write(bytes) { isOver = true }
                case .silence: wire.waitForHangUp(atMost: 400)
                case .hangUp: isOver = true
                }
                if isOver { return }
            }
        }
    }

    // MARK: Answers

    private func start() {
        let (properties, mechanisms) = (
            RandomContent.table(&random, depth: 1), random.chance(0.95) ? "PLAIN AMQPLAIN EXTERNAL" : "X"
        )
        emit(
            .method(.connectionStart, channel: 0) {
                $0.octet(0)
                $0.octet(9)
                $0.block(properties)
                $0.longString(mechanisms)
                $0.longString("en_US")
            }
        )
    }

    private static let plainAnswers: [PeerMethod: PeerMethod] = [
        .connectionClose: .connectionCloseOk, .channelClose: .channelCloseOk, .exchangeDeclare: .exchangeDeclareOk,
        .exchangeDelete: .exchangeDeleteOk, .queueBind: .queueBindOk, .queueUnbind: .queueUnbindOk,
        .basicQos: .basicQosOk,
        PeerMethod(40, 30): PeerMethod(40, 31), PeerMethod(40, 40): PeerMethod(40, 51),
        PeerMethod(60, 110): PeerMethod(60, 111), PeerMethod(85, 10): .confirmSelectOk,
        PeerMethod(90, 10): PeerMethod(90, 11), PeerMethod(90, 20): PeerMethod(90, 21),
        PeerMethod(90, 30): PeerMethod(90, 31),
    ]

    private func answer(_ frame: PeerFrame) {
        let channel = frame.channel
        if frame.type == PeerFrame.Kind.header || frame.type == PeerFrame.Kind.body { return receiveContent(frame) }
        guard let method = frame.method else { return }
        var fields = frame.fields
        switch method {
        case .connectionStartOk:
            let (channels, frameMax, heartbeat) = (
                random.pick([0, 1, 2, 2047, 0xFFFF]) as UInt16, frameMax, random.pick([0, 0, 1, 60, 0xFFFF]) as UInt16
            )
            emit(
                .method(.connectionTune, channel: 0) {
                    $0.short(channels)
                    $0.long(frameMax)
                    $0.short(heartbeat)
                }
            )
        case .connectionOpen: emit(.method(.connectionOpenOk, channel: 0) { $0.shortString("") })
        case .channelOpen:
            channels[channel] = ChannelState()
            emit(.method(.channelOpenOk, channel: channel) { $0.longString("") })
        case .queueDeclare:
            _ = fields.short()
            let name = fields.shortString()
            emit(
                .method(.queueDeclareOk, channel: channel) {
                    $0.shortString(name.isEmpty ? "amq.gen" : name)
                    $0.long(3)
                    $0.long(1)
                }
            )
        case .queuePurge: emit(.method(.queuePurgeOk, channel: channel) { $0.long(7) })
        case .queueDelete: emit(.method(.queueDeleteOk, channel: channel) { $0.long(7) })
        case .basicConsume:
            _ = fields.short()
            _ = fields.shortString()
            let tag = fields.shortString()
            channels[channel]?.consumers.append(Array(tag.utf8))
            emit(.method(.basicConsumeOk, channel: channel) { $0.shortString(tag) })
        case .basicCancel:
            let tag = fields.shortString()
            if random.chance(0.3) { happen() }
            channels[channel]?.consumers.removeAll { $0 == Array(tag.utf8) }
            emit(.method(.basicCancelOk, channel: channel) { $0.shortString(tag) })
        case .basicGet: get(channel)
        case .basicPublish:
            _ = fields.short()
            let begun = (Array(fields.shortString().utf8), Array(fields.shortString().utf8))
            channels[channel]?.begun = begun
        case .channelFlowOk, .channelCloseOk, .basicAck, .basicNack, .basicReject, .connectionTuneOk,
            .connectionUpdateSecretOk:
            break
        case .connectionCloseOk: isOver = true
        default:
            if method == PeerMethod(85, 10) { channels[channel]?.isConfirming = true }
            if let answer = Self.plainAnswers[method] { emit(.method(answer, channel: channel)) }
        }
    }

    private func receiveContent(_ frame: PeerFrame) {
        guard var state = channels[frame.channel] else { return }
        if frame.type == PeerFrame.Kind.header {
            var reader = PeerReader(frame.payload)
            _ = reader.long()
            state.bodyLeft = Int(clamping: reader.longLong())
            state.header = frame
        } else {
            state.bodyLeft -= frame.payload.count
        }
        if state.bodyLeft <= 0, state.isConfirming { state.published += 1 }
        channels[frame.channel] = state
    }

    private func get(_ channel: UInt16) {
        guard random.chance(0.7), let tag = channels[channel]?.nextTag else {
            return emit(.method(.basicGetEmpty, channel: channel) { $0.shortString("") })
        }
        channels[channel]?.nextTag += 1
        let getOk = PeerFrame.method(.basicGetOk, channel: channel) {
            $0.longLong(tag)
            $0.octet(1)
            $0.shortString("")
            $0.shortString("q")
            $0.long(1)
        }
        emit([getOk] + content(channel))
    }

    func content(_ channel: UInt16) -> [PeerFrame] {
        let body = [UInt8](repeating: 7, count: random.chance(0.05) ? random.number(0...20_000) : random.number(0...80))
        let header = PeerFrame.header(
            channel: channel,
            bodySize: UInt64(body.count),
            properties: RandomContent.properties(&random)
        )
        let size = random.chance(0.3) ? 16 : 4088
        let pieces = stride(from: 0, to: body.count, by: size).map { Array(body[$0..<min(body.count, $0 + size)]) }
        return [header] + pieces.map { .body(channel: channel, $0) }
    }
}

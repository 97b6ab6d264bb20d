internal import Glibc
internal import TestSupport

/// The broker's end of a session, on a thread of its own: it answers what the client asks, delivers, confirms, returns and
/// closes, and a ``Mutator`` changes all of that.
///
/// It blocks, so that it costs one thread and no task; each of its waits has a deadline.
final class FuzzPeer {
    private struct ChannelState {
        var consumers: [[UInt8]] = []
        var nextTag: UInt64 = 1
        var isConfirming = false
        var published: UInt64 = 0
        var confirmed: UInt64 = 0
        var header: PeerFrame?
        var begun = (exchange: [UInt8](), key: [UInt8]())
        var bodyLeft = 0
    }

    private let descriptor: Int32
    private var random: SplitMix
    private var mutator: Mutator
    private var channels: [UInt16: ChannelState] = [:]
    private var bytes: [UInt8] = []
    private var isOver = false
    private var idles: Int
    private let liveliness: Double
    private let frameMax: UInt32
    private let splits: Bool
    private(set) var clientsFault: String?

    init(descriptor: Int32, random: SplitMix) {
        self.descriptor = descriptor
        self.random = random
        mutator = Mutator(SplitMix(seed: self.random.next()))
        idles = self.random.number(1...5)
        liveliness = self.random.pick([0.1, 0.3, 0.8])
        frameMax = self.random.pick([0, 4096, 8192, 131_072, 131_072, 1 << 20])
        splits = self.random.chance(0.1)
    }

    /// Plays its part, and closes its end.
    func run() {
        var timeout = timeval(tv_sec: 0, tv_usec: 300_000)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        receive(protocolHeader: true)
        if !isOver { start() }
        while !isOver { turn() }
        close(descriptor)
    }

    private func turn() {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&polled, 1, 2) > 0 { return receive() }
        idles -= 1
        if idles >= 0 { return happen() }
        end()
    }

    /// How a session ends of which the client has had enough, or the broker.
    private func end() {
        switch random.number(0...9) {
        case 0...1: emit(mutator.close(.connectionClose, channel: 0))
        case 2:
            shutdown(descriptor, Int32(SHUT_WR))
        default: isOver = true
        }
        // What the client says to that; it closes its end at last.
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while !isOver, poll(&polled, 1, 400) > 0 { receive() }
        isOver = true
    }

    // MARK: Reading

    private func receive(protocolHeader: Bool = false) {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, 1000) > 0 else { return isOver = true }
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &room, room.count, 0)
        guard count > 0 else { return isOver = true }
        bytes += room[..<count]
        if protocolHeader {
            if bytes.count < 8 { return receive(protocolHeader: true) }
            if bytes.prefix(8) != [65, 77, 81, 80, 0, 0, 9, 1] { clientsFault = "no protocol header" }
            bytes.removeFirst(8)
            return
        }
        var offset = 0
        while !isOver, bytes.count - offset >= 8 {
            var reader = PeerReader(Array(bytes[offset..<offset + 7]))
            let (type, channel, size) = (reader.octet(), reader.short(), Int(reader.long()))
            guard size <= 131_072 else { return clientsFault = "a frame of \(size) bytes" }
            guard bytes.count - offset >= size + 8 else { break }
            guard bytes[offset + 7 + size] == 0xCE, [1, 2, 3, 8].contains(type) else {
                isOver = true
                return clientsFault = "a frame of type \(type) that ends with \(bytes[offset + 7 + size])"
            }
            let frame = PeerFrame(type: type, channel: channel, payload: Array(bytes[offset + 7..<offset + 7 + size]))
            offset += size + 8
            answer(frame)
        }
        bytes.removeFirst(offset)
        if random.chance(liveliness) { happen() }
    }

    // MARK: Sending

    private func emit(_ frames: PeerFrame...) { emit(frames) }

    private func emit(_ frames: [PeerFrame]) {
        for frame in frames where !isOver {
            for step in mutator.steps(for: frame) {
                switch step {
                case .send(let bytes): write(bytes)
                case .silence: usleep(400_000)
                case .hangUp: isOver = true
                }
                if isOver { return }
            }
        }
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let length = splits ? min(rest.count, random.number(1...9)) : rest.count
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, length, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return isOver = true }
            rest = rest.dropFirst(count)
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

    private func content(_ channel: UInt16) -> [PeerFrame] {
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

    // MARK: What happens unasked

    private func happen() {
        guard let channel = channels.isEmpty ? nil : random.pick(channels.keys.sorted()), let state = channels[channel]
        else { return }
        switch random.number(0...24) {
        case 0...9: for _ in 0..<random.number(1...4) { deliver(channel) }
        case 10...16: confirm(channel)
        case 17...18:
            let header = state.header ?? .header(channel: channel, bodySize: 0)
            let (exchange, key) = state.begun
            let size = random.number(0...3)
            emit(
                .method(.basicReturn, channel: channel) {
                    $0.short(312)
                    $0.shortString("NO_ROUTE")
                    $0.octet(UInt8(exchange.count))
                    $0.raw(exchange)
                    $0.octet(UInt8(key.count))
                    $0.raw(key)
                }
            )
            emit([header] + (0..<size).map { _ in .body(channel: channel, random.bytes(upTo: 30)) })
        case 19:
            let isOn: UInt8 = random.chance(0.7) ? 1 : 0
            emit(.method(.channelFlow, channel: channel) { $0.octet(isOn) })
        case 20:
            let reason = RandomContent.shortString(&random)
            emit(.method(.connectionBlocked, channel: 0) { $0.raw(reason) })
        case 21: emit(.method(.connectionUnblocked, channel: 0))
        case 22:
            guard let tag = state.consumers.isEmpty ? nil : random.pick(state.consumers) else { return }
            emit(
                .method(.basicCancel, channel: channel) {
                    $0.octet(UInt8(tag.count))
                    $0.raw(tag)
                    $0.octet(1)
                }
            )
        case 23:
            if random.chance(0.5) { emit(mutator.close(.channelClose, channel: channel)) }
        default: emit(.heartbeat)
        }
    }

    private func deliver(_ channel: UInt16) {
        guard var state = channels[channel], let tag = state.consumers.isEmpty ? nil : random.pick(state.consumers)
        else { return }
        let number = state.nextTag
        state.nextTag += 1
        channels[channel] = state
        let (isRedelivered, key) = (UInt8(random.number(0...1)), RandomContent.shortString(&random))
        let deliver = PeerFrame.method(.basicDeliver, channel: channel) {
            $0.octet(UInt8(tag.count))
            $0.raw(tag)
            $0.longLong(number)
            $0.octet(isRedelivered)
            $0.shortString("")
            $0.raw(key)
        }
        emit([deliver] + content(channel))
    }

    private func confirm(_ channel: UInt16) {
        guard let state = channels[channel], state.published > state.confirmed else { return }
        let number = UInt64(random.number(Int(state.confirmed) + 1...Int(state.published)))
        let isMultiple = random.chance(0.5)
        if isMultiple || number == state.confirmed + 1 { channels[channel]?.confirmed = number }
        let octet: UInt8 = isMultiple ? 1 : 0
        emit(
            .method(random.chance(0.85) ? .basicAck : .basicNack, channel: channel) {
                $0.longLong(random.chance(0.05) ? 0 : number)
                $0.octet(octet)
            }
        )
    }
}

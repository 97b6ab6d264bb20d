internal import TestSupport

/// Changes what a broker sends: frames and their order, and where it all ends.
struct Mutator {
    /// What is to be done with a frame.
    enum Step {
        case send([UInt8])
        /// Sends nothing for a while, so that deadlines pass.
        case silence
        case hangUp
    }

    private enum Change: CaseIterable {
        case flipBits, overwrite, drop, double, holdBack, replay, length, channel, type, cutPayload, growPayload
        case insertFrame, insertBytes, number, tag, closeChannel, closeConnection, frameEnd, cutOff, hangUp, silence
        case heartbeat, emptyBody, method
    }

    private var random: SplitMix
    /// How many frames go unchanged, so that what comes late in a session is reached.
    private let unchanged: Int
    private let rate: Double
    private let isSilentAtTimes: Bool
    private var seen = 0
    private var past: [PeerFrame] = []
    private var heldBack: PeerFrame?

    init(_ random: SplitMix) {
        self.random = random
        unchanged = self.random.number(0...3) == 0 ? 0 : self.random.number(0...60)
        rate = self.random.pick([0, 0.01, 0.05, 0.05, 0.2, 0.6])
        isSilentAtTimes = self.random.chance(0.02)
    }

    mutating func steps(for frame: PeerFrame) -> [Step] {
        seen += 1
        defer {
            past.append(frame)
            if past.count > 12 { past.removeFirst() }
        }
        var steps = seen > unchanged && random.chance(rate) ? change(frame) : [.send(frame.bytes)]
        if let late = heldBack, random.chance(0.5) {
            heldBack = nil
            steps.append(.send(late.bytes))
        }
        return steps
    }

    private mutating func change(_ frame: PeerFrame) -> [Step] {
        var frame = frame
        var bytes = frame.bytes
        switch random.pick(Change.allCases) {
        case .flipBits:
            for _ in 0..<random.number(1...3) {
                bytes[random.number(0...bytes.count - 1)] ^= 1 << UInt8(random.number(0...7))
            }
        case .overwrite:
            for _ in 0..<random.number(1...4) { bytes[random.number(0...bytes.count - 1)] = oddOctet() }
        case .drop: return []
        case .double: return [.send(bytes), .send(bytes)]
        case .holdBack:
            if let heldBack { return [.send(bytes + heldBack.bytes)] }
            heldBack = frame
            return []
        case .replay:
            guard let old = past.isEmpty ? nil : random.pick(past) else { break }
            return [.send(old.bytes), .send(bytes)]
        case .length:
            let length = random.pick([
                0, 1, 7, 4088, 4089, 131_064, 131_065, 0x7FFF_FFFF, 0xFFFF_FFFF, frame.payload.count - 1,
                frame.payload.count + 1,
            ])
            let octets = UInt32(truncatingIfNeeded: length)
            for index in 0..<4 { bytes[3 + index] = UInt8(truncatingIfNeeded: octets >> UInt32(24 - 8 * index)) }
        case .channel:
            frame.channel = random.pick([0, 1, 2, 3, 2047, 2048, 0xFFFF, frame.channel &+ 1])
            bytes = frame.bytes
        case .type:
            frame.type = random.pick([0, 1, 2, 3, 4, 8, 65, 206, 255])
            bytes = frame.bytes
        case .cutPayload:
            frame.payload = Array(frame.payload.prefix(random.number(0...frame.payload.count)))
            bytes = frame.bytes
        case .growPayload:
            frame.payload += random.bytes(upTo: 40)
            bytes = frame.bytes
        case .insertFrame: return [.send(anyFrame(frame.channel).bytes), .send(bytes)]
        case .insertBytes: return [.send(random.bytes(upTo: 40)), .send(bytes)]
        case .number:
            guard frame.payload.count > 8 else { break }
            let place = random.number(4...frame.payload.count - 4)
            for index in place..<min(frame.payload.count, place + random.pick([1, 2, 4])) {
                frame.payload[index] = oddOctet()
            }
            bytes = frame.bytes
        case .tag: bytes = withOtherTag(frame).bytes
        case .closeChannel: return [.send(bytes), .send(close(.channelClose, channel: frame.channel).bytes)]
        case .closeConnection: return [.send(close(.connectionClose, channel: 0).bytes), .send(bytes)]
        case .frameEnd: bytes[bytes.count - 1] = oddOctet()
        case .cutOff: return [.send(Array(bytes.prefix(random.number(0...bytes.count - 1)))), .hangUp]
        case .hangUp: return [.hangUp]
        case .silence: return isSilentAtTimes ? [.silence, .send(bytes)] : [.send(bytes)]
        case .heartbeat: return [.send(PeerFrame.heartbeat.bytes), .send(bytes)]
        case .emptyBody: return [.send(PeerFrame.body(channel: frame.channel, []).bytes), .send(bytes)]
        case .method:
            guard frame.method != nil else { break }
            frame.payload[3] = UInt8(random.number(0...8) * 10 + random.number(0...1))
            if random.chance(0.3) { frame.payload[1] = UInt8(random.number(1...9) * 10) }
            bytes = frame.bytes
        }
        return [.send(bytes)]
    }

    private mutating func oddOctet() -> UInt8 {
        random.chance(0.5) ? random.pick([0, 1, 0x7F, 0x80, 0xCE, 0xFF]) : UInt8.random(in: 0...255, using: &random)
    }

    /// With the delivery tag repeated, falling, huge.
    private mutating func withOtherTag(_ frame: PeerFrame) -> PeerFrame {
        guard let method = frame.method else { return frame }
        let place: Int
        switch method {
        case .basicAck, .basicNack, .basicGetOk: place = 4
        case .basicDeliver: place = 5 + Int(frame.payload.count > 4 ? frame.payload[4] : 0)
        default: return frame
        }
        guard frame.payload.count >= place + 8 else { return frame }
        let tag: UInt64 = random.pick([0, 1, 2, 3, 5, 100, 5000, 1 << 32, .max / 2, .max - 1, .max, random.next()])
        var frame = frame
        for index in 0..<8 { frame.payload[place + index] = UInt8(truncatingIfNeeded: tag >> UInt64(56 - 8 * index)) }
        return frame
    }

    /// A frame with a method of the specification, and fields that mostly fit none.
    private mutating func anyFrame(_ channel: UInt16) -> PeerFrame {
        let method = PeerMethod(
            UInt16(random.pick([10, 20, 40, 50, 60, 85, 90])),
            UInt16(random.number(1...8) * 10 + random.number(0...1))
        )
        switch random.number(0...3) {
        case 0:
            return .header(
                channel: channel,
                bodySize: random.pick([0, 1, 5, 1 << 20, 1 << 27, 1 << 40, .max]),
                properties: RandomContent.properties(&random)
            )
        case 1: return .body(channel: channel, random.bytes(upTo: 60))
        default:
            let (text, table) = (RandomContent.shortString(&random), RandomContent.table(&random, depth: 2))
            let rest = random.bytes(upTo: 20)
            return .method(method, channel: random.chance(0.2) ? 0 : channel) {
                $0.raw(text)
                $0.block(table)
                $0.raw(rest)
            }
        }
    }

    mutating func close(_ method: PeerMethod, channel: UInt16) -> PeerFrame {
        let code: UInt16 = random.pick([200, 311, 313, 320, 403, 404, 405, 406, 501, 502, 504, 505, 530, 541, 0, 999])
        let text = RandomContent.shortString(&random)
        let cause = random.pick([PeerMethod(0, 0), .basicPublish, .queueDeclare, .basicConsume])
        return .method(method, channel: channel) {
            $0.short(code)
            $0.raw(text)
            $0.short(cause.classID)
            $0.short(cause.methodID)
        }
    }
}

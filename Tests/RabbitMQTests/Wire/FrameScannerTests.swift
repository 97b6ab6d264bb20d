import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the frame scanner")
struct FrameScannerTests {
    private func scan(_ bytes: [UInt8], frameMax: Int = 4096, from offset: Int = 0) -> FrameScanner.Step {
        bytes.withUnsafeBytes { FrameScanner(frameMax: frameMax).next(in: $0, from: offset) }
    }

    private let frame = PeerFrame(type: 1, channel: 0x0102, payload: [9, 8, 7]).bytes

    @Test func `a frame is incomplete at every boundary but its end`() {
        for count in 0..<frame.count {
            #expect(scan(Array(frame.prefix(count))) == .incomplete)
        }
        let whole = FrameScanner.Frame(kind: .method, channel: 0x0102, payload: 7..<10)
        #expect(scan(frame) == .frame(whole, next: 11))
        #expect(scan(frame + [1, 0]) == .frame(whole, next: 11))
    }

    @Test func `frames one after the other`() {
        let kinds: [FrameScanner.Kind] = [.method, .header, .body, .heartbeat]
        let bytes = kinds.flatMap { PeerFrame(type: $0.rawValue, channel: 3, payload: [1, 2]).bytes }
        var offset = 0
        for kind in kinds {
            guard case .frame(let frame, let next) = scan(bytes, from: offset) else {
                Issue.record("no frame at \(offset)")
                return
            }
            #expect(frame.kind == kind)
            #expect(frame.channel == 3)
            #expect(Array(bytes[frame.payload]) == [1, 2])
            offset = next
        }
        #expect(offset == bytes.count)
        #expect(scan(bytes, from: offset) == .incomplete)
    }

    @Test func `an empty payload`() {
        let bytes = PeerFrame.heartbeat.bytes
        #expect(scan(bytes) == .frame(FrameScanner.Frame(kind: .heartbeat, channel: 0, payload: 7..<7), next: 8))
    }

    @Test func `danger: a frame larger than agreed on is refused by its size alone`() {
        let fits = PeerFrame(type: 3, channel: 1, payload: [UInt8](repeating: 0, count: 4088))
        guard case .frame = scan(fits.bytes) else {
            Issue.record("the largest frame is refused")
            return
        }
        let large = PeerFrame(type: 3, channel: 1, payload: [UInt8](repeating: 0, count: 4089))
        #expect(isMalformed(scan(Array(large.bytes.prefix(7)))))
        #expect(isMalformed(scan([3, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])))
    }

    @Test func `a content header may be larger than agreed on, which RabbitMQ doesn't cut, up to a limit`() {
        let header = PeerFrame(type: 2, channel: 1, payload: [UInt8](repeating: 0, count: 5000))
        #expect(scan(Array(header.bytes.dropLast())) == .incomplete)
        let whole = FrameScanner.Frame(kind: .header, channel: 1, payload: 7..<5007)
        #expect(scan(header.bytes) == .frame(whole, next: 5008))
        #expect(scan([2, 0, 1, 0, 0x0F, 0xFF, 0xF8]) == .incomplete)
        #expect(isMalformed(scan([2, 0, 1, 0, 0x0F, 0xFF, 0xF9])))
        #expect(isMalformed(scan([2, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])))
        for type in [1, 3, 8] as [UInt8] { #expect(isMalformed(scan([type, 0, 1, 0, 0, 0x13, 0x88]))) }
    }

    @Test func `a content header is no larger than agreed on where none may come`() {
        let size: [UInt8] = [0, 0, 0x13, 0x88]
        #expect(scan([2, 0, 1] + size) == .incomplete)
        #expect(isMalformed(scan([2, 0, 0] + size)))
        let unopened = ([2, 0, 1] + size).withUnsafeBytes {
            FrameScanner(frameMax: 4096, isOpen: false).next(in: $0, from: 0)
        }
        #expect(isMalformed(unopened))
    }

    @Test func `a wrong end octet is refused`() {
        var bytes = frame
        bytes[bytes.count - 1] = 0xCD
        #expect(isMalformed(scan(bytes)))
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func `only the known types are taken`(type: UInt8) {
        let isKnown = [1, 2, 3, 8].contains(type)
        guard type != UInt8(ascii: "A") else { return }
        #expect(isMalformed(scan(PeerFrame(type: type, channel: 0, payload: []).bytes)) == !isKnown)
    }

    @Test func `a peer that refuses the version is told apart`() {
        let refusal = Array("AMQP".utf8) + [0, 1, 0, 0]
        for count in 1..<8 { #expect(scan(Array(refusal.prefix(count))) == .incomplete) }
        #expect(
            scan(refusal)
                == .malformed("a protocol header, as one does that speaks another protocol or version (1-0-0)")
        )
    }

    @Test func `whatever comes, nothing traps`() {
        var random = SplitMix(seed: 1)
        for _ in 0..<20_000 {
            let bytes = random.bytes(upTo: 40)
            let offset = Int.random(in: 0...bytes.count, using: &random)
            if case .frame(let frame, let next) = scan(bytes, from: offset) {
                #expect(next <= bytes.count)
                #expect(frame.payload.upperBound == next - 1)
            }
        }
    }

    private func isMalformed(_ step: FrameScanner.Step) -> Bool {
        if case .malformed = step { true } else { false }
    }
}

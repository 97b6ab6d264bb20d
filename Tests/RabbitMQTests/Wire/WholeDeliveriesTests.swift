import TestSupport
import Testing

@testable import RabbitMQ

@Suite("deliveries that have come whole")
struct WholeDeliveriesTests {
    private struct Found: Equatable {
        var tag: UInt64
        var consumer: String
        var bodySize: Int
        var end: Int
    }

    private func find(_ bytes: [UInt8], of channel: UInt16 = 1, from offset: Int = 0) -> Found? {
        bytes.withUnsafeBytes { bytes in
            WholeDeliveries(of: channel, in: bytes, scanner: FrameScanner(frameMax: 4096)).next(from: offset).map {
                Found(
                    tag: $0.peek.deliveryTag,
                    consumer: String(wire: $0.peek.consumerTag),
                    bodySize: $0.bodySize,
                    end: $0.end
                )
            }
        }
    }

    private func bytes(_ frames: [PeerFrame]) -> [UInt8] { frames.flatMap(\.bytes) }

    @Test func `one is found behind the other, with what its channel needs to know`() {
        let first = bytes(
            PeerFrame.delivery([1, 2, 3], tag: 0x0102_0304_0506_0708, consumer: "a consumer", channel: 7)
        )
        let second = bytes(PeerFrame.delivery([4], tag: 2, consumer: "", channel: 7))
        let all = [9, 9] + first + second
        let end = 2 + first.count
        #expect(
            find(all, of: 7, from: 2)
                == Found(tag: 0x0102_0304_0506_0708, consumer: "a consumer", bodySize: 3, end: end)
        )
        #expect(find(all, of: 7, from: end) == Found(tag: 2, consumer: "", bodySize: 1, end: all.count))
        #expect(find(all, of: 7, from: all.count) == nil)
    }

    @Test func `one whose last byte has not come is not found`() {
        let whole = bytes(PeerFrame.delivery([1, 2, 3], tag: 1, consumer: "c"))
        for count in 0..<whole.count { #expect(find(Array(whole.prefix(count))) == nil, "\(count) bytes") }
        #expect(find(whole) != nil)
    }

    @Test(arguments: ["method", "header", "body"])
    func `a frame of another channel among the three makes it none`(which: String) {
        var frames = PeerFrame.delivery([1, 2, 3], tag: 1, consumer: "c")
        #expect(find(bytes(frames)) != nil)
        frames[["method", "header", "body"].firstIndex(of: which) ?? 0].channel = 2
        #expect(find(bytes(frames)) == nil)
        #expect(find(bytes(frames), of: 2) == nil)
    }

    private static let others: [(String, [PeerFrame])] = {
        let delivery = PeerFrame.delivery([1, 2, 3], tag: 1, consumer: "c")
        var truncated = delivery
        // A consumer tag that is said to be longer than what is left.
        truncated[0].payload[4] = 200
        var badEnd = delivery
        badEnd[0].type = 0xFF
        return [
            ("a body in two frames", [delivery[0], delivery[1], .body(channel: 1, [1]), .body(channel: 1, [2, 3])]),
            ("an empty body", PeerFrame.delivery([], tag: 1, consumer: "c") + delivery),
            ("an empty body frame", [delivery[0], .header(channel: 1, bodySize: 0), .body(channel: 1, [])]),
            (
                "a body that is larger than its header says",
                [delivery[0], .header(channel: 1, bodySize: 2), delivery[2]]
            ),
            ("a heartbeat before the header", [delivery[0], .heartbeat, delivery[1], delivery[2]]),
            ("a heartbeat before the body", [delivery[0], delivery[1], .heartbeat, delivery[2]]),
            ("no header", [delivery[0], delivery[2], delivery[2]]),
            ("a second header for a body", [delivery[0], delivery[1], delivery[1]]),
            ("a header without a size", [delivery[0], PeerFrame(type: 2, channel: 1, payload: [0, 60]), delivery[2]]),
            ("a message that was asked for", PeerFrame.gotten([1, 2, 3], tag: 1)),
            (
                "a method that is too short",
                [PeerFrame(type: 1, channel: 1, payload: [0, 60]), delivery[1], delivery[2]]
            ),
            ("a consumer tag that is too long", truncated),
            ("a frame of an unknown type", badEnd),
            ("a header where the method should be", [delivery[1], delivery[1], delivery[2]]),
        ]
    }()

    @Test(arguments: others.indices)
    func `anything else is left to whoever takes frame by frame`(index: Int) {
        let (name, frames) = Self.others[index]
        #expect(find(bytes(frames)) == nil, "\(name)")
    }

    @Test func `none is on channel 0, which has no messages`() {
        #expect(find(bytes(PeerFrame.delivery([1], tag: 1, consumer: "c", channel: 0)), of: 0) == nil)
    }

    @Test func `fields that are cut off are not read`() throws {
        let payload = try #require(PeerFrame.delivery([1], tag: 0xABCD, consumer: "tag").first).payload
        func tag(_ payload: [UInt8]) -> UInt64? {
            payload.withUnsafeBytes { DeliveryPeek($0)?.deliveryTag }
        }
        // Class, method, the tag's length, the tag.
        let whole = 4 + 1 + 3 + 8
        for count in 0..<whole { #expect(tag(Array(payload.prefix(count))) == nil, "\(count) bytes") }
        #expect(tag(Array(payload.prefix(whole))) == 0xABCD)
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("properties as they come")
struct HeaderDecoderTests {
    /// A content header with these properties.
    private func header(_ message: Message) -> [UInt8] {
        var properties = [UInt8](repeating: 0, count: 10_000)
        let count = properties.withUnsafeMutableBytes { memory -> Int in
            guard let base = memory.baseAddress else { return 0 }
            var writer = FieldWriter(base, space: memory.count)
            writer.put(propertiesOf: message)
            return writer.count
        }
        return PeerFrame.header(channel: 1, bodySize: 7, properties: Array(properties.prefix(count))).payload
    }

    private func decode(_ payload: [UInt8]) throws -> ContentHeader {
        var decoder = HeaderDecoder()
        return try payload.withUnsafeBytes { try decoder.header($0) }
    }

    @Test func `at random come out as they went in`() throws {
        var random = SplitMix(seed: 41)
        for _ in 0..<500 {
            let message = random.message()
            let came = try decode(header(message))
            #expect(came.message == message)
            #expect(came.bodySize == 7)
        }
    }

    @Test func `danger: cut anywhere are refused, and nothing is read behind them`() throws {
        var message = Message(body: [], headers: ["k": "v"], timestamp: nil)
        message.contentType = "a/b"
        message.contentEncoding = "gzip"
        message.deliveryMode = .persistent
        message.priority = 1
        message.timestampSeconds = 2
        message.messageID = "id"
        message.appID = "application"
        let whole = header(message)
        #expect(try decode(whole).message == message)
        for count in 0..<whole.count {
            #expect(throws: AMQPError.self) { try decode(Array(whole.prefix(count))) }
        }
    }

    @Test func `more flags are refused, and a cluster is passed over`() throws {
        let more = PeerFrame.header(channel: 1, bodySize: 0, properties: [0, 1, 0, 0]).payload
        #expect(throws: AMQPError.self) { try decode(more) }
        let cluster = PeerFrame.header(channel: 1, bodySize: 0, properties: [0, 4, 2, 0x61, 0x62]).payload
        #expect(try decode(cluster).message.extras == nil)
        #expect(throws: AMQPError.self) { try decode(Array(cluster.dropLast())) }
    }
}

import RabbitMQ

@testable import RabbitMQTesting

/// A broker without a socket and a clock, and a client that writes its frames itself: for what the real client never sends.
struct RawClient {
    /// What the broker has sent.
    struct Received {
        /// Its name, such as `basic.deliver`.
        let method: String
        let fields: ArraySlice<UInt8>
    }

    var broker: Broker
    private let id: Int
    private var splitter = FrameSplitter()

    /// Connects, logs in and opens channel 1.
    init(
        _ options: InProcessBroker.Options = InProcessBroker.Options(),
        channelMax: UInt16 = 2047,
        frameMax: UInt32 = 131_072,
        heartbeat: UInt16 = 0
    ) {
        var broker = Broker(options)
        id = broker.connect()
        broker.receive(Array("AMQP".utf8) + [0, 0, 9, 1], from: id)
        self.broker = broker
        send(10, 11, on: 0) {
            $0.table([:])
            $0.shortString("PLAIN")
            $0.longString("\u{0}guest\u{0}guest".utf8)
            $0.shortString("en_US")
        }
        send(10, 31, on: 0) {
            $0.short(channelMax)
            $0.long(frameMax)
            $0.short(heartbeat)
        }
        send(10, 40, on: 0) {
            $0.shortString(options.virtualHost)
            $0.shortString("")
            $0.octet(0)
        }
        send(20, 10) { $0.shortString("") }
    }

    var connection: Int { id }

    /// Sends a method.
    mutating func send(
        _ classID: UInt16,
        _ methodID: UInt16,
        on channel: UInt16 = 1,
        _ fields: (inout WireWriter) -> Void = { _ in }
    ) {
        var bytes: [UInt8] = []
        Self.append(classID, methodID, on: channel, fields, to: &bytes)
        broker.receive(bytes, from: id)
    }

    private static func append(
        _ classID: UInt16,
        _ methodID: UInt16,
        on channel: UInt16,
        _ fields: (inout WireWriter) -> Void,
        to bytes: inout [UInt8]
    ) {
        var writer = WireWriter()
        writer.short(classID)
        writer.short(methodID)
        fields(&writer)
        Frame.append(.method, channel: channel, writer.bytes, to: &bytes)
    }

    /// Publishes messages through the default exchange, all at once.
    mutating func publish(_ messages: Message..., to queue: String, mandatory: Bool = false) {
        var bytes: [UInt8] = []
        for message in messages {
            Self.append(60, 40, on: 1, { Self.writePublish(queue, mandatory, &$0) }, to: &bytes)
            var header = WireWriter()
            header.short(60)
            header.short(0)
            header.longLong(UInt64(message.body.count))
            header.raw(ContentProperties.encode(message))
            Frame.append(.header, channel: 1, header.bytes, to: &bytes)
            if !message.body.isEmpty { Frame.append(.body, channel: 1, message.body, to: &bytes) }
        }
        broker.receive(bytes, from: id)
    }

    private static func writePublish(_ queue: String, _ mandatory: Bool, _ writer: inout WireWriter) {
        writer.short(0)
        writer.shortString("")
        writer.shortString(queue)
        writer.octet(mandatory ? 1 : 0)
    }

    mutating func declareQueue(_ name: String, bits: UInt8 = 0, _ arguments: FieldTable = [:]) {
        send(50, 10) {
            $0.short(0)
            $0.shortString(name)
            $0.octet(bits)
            $0.table(arguments)
        }
    }

    mutating func deleteQueue(_ name: String, bits: UInt8 = 0) {
        send(50, 40) {
            $0.short(0)
            $0.shortString(name)
            $0.octet(bits)
        }
    }

    mutating func consume(_ queue: String, tag: String, bits: UInt8 = 0, _ arguments: FieldTable = [:]) {
        send(60, 20) {
            $0.short(0)
            $0.shortString(queue)
            $0.shortString(tag)
            $0.octet(bits)
            $0.table(arguments)
        }
    }

    mutating func get(_ queue: String) {
        send(60, 70) {
            $0.short(0)
            $0.shortString(queue)
            $0.octet(0)
        }
    }

    mutating func setQos(_ count: UInt16, global: Bool = false) {
        send(60, 10) {
            $0.long(0)
            $0.short(count)
            $0.bit(global)
        }
    }

    mutating func ack(_ tag: UInt64, multiple: Bool = false) {
        send(60, 80) {
            $0.longLong(tag)
            $0.bit(multiple)
        }
    }

    mutating func reject(_ tag: UInt64, requeue: Bool) {
        send(60, 90) {
            $0.longLong(tag)
            $0.bit(requeue)
        }
    }

    /// The methods that the broker has sent since the last time.
    mutating func received() -> [Received] {
        splitter.append(broker.connections[id]?.output ?? [])
        broker.connections[id]?.output = []
        var received: [Received] = []
        while let frame = try? splitter.next(frameMax: .max) {
            guard frame.kind == .method else { continue }
            var reader = WireReader(frame.payload)
            guard let classID = try? reader.short(), let methodID = try? reader.short() else { continue }
            let method = MethodID(classID: classID, methodID: methodID)
            received.append(Received(method: method.description, fields: reader.rest))
        }
        return received
    }

    /// Their names alone; of a close and a return also the code.
    mutating func methods() -> [String] {
        received().map { received in
            guard ["connection.close", "channel.close", "basic.return"].contains(received.method) else {
                return received.method
            }
            var reader = WireReader(received.fields)
            return "\(received.method) \((try? reader.short()) ?? 0)"
        }
    }
}

import TestSupport
import Testing

@testable import RabbitMQ

@Suite("methods as frames")
struct MethodEncodingTests {
    typealias Case = (method: ClientMethod, id: PeerMethod, fields: [UInt8])

    private static func fields(_ write: (inout PeerWriter) -> Void) -> [UInt8] {
        var writer = PeerWriter()
        write(&writer)
        return writer.bytes
    }

    /// An argument `k` that is true, as an encoded table.
    private static let arguments: [UInt8] = [0, 0, 0, 4, 1, 0x6B, UInt8(ascii: "t"), 1]

    private static let connectionCases: [Case] = [
        (
            .connectionStartOk(
                ClientMethod.StartOk(clientProperties: ["k": true], mechanism: "PLAIN", response: [0, 65, 0, 66])
            ),
            .connectionStartOk,
            arguments
                + fields {
                    $0.shortString("PLAIN")
                    $0.block([0, 65, 0, 66])
                    $0.shortString("en_US")
                }
        ),
        (.connectionSecureOk(response: [1, 2]), PeerMethod(10, 21), [0, 0, 0, 2, 1, 2]),
        (
            .connectionTuneOk(channelMax: 1, frameMax: 0x0002_0000, heartbeat: 60), .connectionTuneOk,
            [0, 1, 0, 2, 0, 0, 0, 60]
        ),
        (.connectionOpen(virtualHost: "/v"), .connectionOpen, [2, 0x2F, 0x76, 0, 0]),
        (
            .connectionClose(replyCode: 200, replyText: "bye"), .connectionClose,
            [0, 200, 3, 0x62, 0x79, 0x65, 0, 0, 0, 0]
        ),
        (.connectionCloseOk, .connectionCloseOk, []),
        (
            .connectionUpdateSecret(secret: [7, 8], reason: "r"), PeerMethod(10, 70),
            [0, 0, 0, 2, 7, 8, 1, 0x72]
        ),
        (.channelOpen, .channelOpen, [0]),
        (.channelFlowOk(active: true), .channelFlowOk, [1]),
        (.channelClose(replyCode: 311, replyText: ""), .channelClose, [1, 55, 0, 0, 0, 0, 0]),
        (.channelCloseOk, .channelCloseOk, []),
        (.confirmSelect, PeerMethod(85, 10), [0]),
        (.txSelect, PeerMethod(90, 10), []), (.txCommit, PeerMethod(90, 20), []), (.txRollback, PeerMethod(90, 30), []),
    ]

    private static let binding = ClientMethod.Binding(
        destination: "d",
        source: "s",
        routingKey: "r",
        noWait: true,
        arguments: ["k": true]
    )
    private static let bindingFields: [UInt8] = [0, 0, 1, 0x64, 1, 0x73, 1, 0x72]

    private static let topologyCases: [Case] = [
        (
            .exchangeDeclare(
                ClientMethod.DeclareExchange(
                    name: "e",
                    type: "fanout",
                    passive: true,
                    durable: false,
                    autoDelete: true,
                    internal: false,
                    noWait: true,
                    arguments: ["k": true]
                )
            ),
            .exchangeDeclare,
            [0, 0, 1, 0x65, 6] + Array("fanout".utf8) + [0b10101] + arguments
        ),
        (
            .exchangeDeclare(ClientMethod.DeclareExchange(name: "", type: "t", durable: true, internal: true)),
            .exchangeDeclare, [0, 0, 0, 1, 0x74, 0b01010, 0, 0, 0, 0]
        ),
        (.exchangeDelete(name: "e", ifUnused: true, noWait: false), .exchangeDelete, [0, 0, 1, 0x65, 1]),
        (.exchangeBind(binding), PeerMethod(40, 30), bindingFields + [1] + arguments),
        (.exchangeUnbind(binding), PeerMethod(40, 40), bindingFields + [1] + arguments),
        (
            .queueDeclare(
                ClientMethod.DeclareQueue(
                    name: "q",
                    passive: true,
                    durable: false,
                    exclusive: true,
                    autoDelete: false,
                    noWait: true,
                    arguments: ["k": true]
                )
            ),
            .queueDeclare, [0, 0, 1, 0x71, 0b10101] + arguments
        ),
        (
            .queueDeclare(ClientMethod.DeclareQueue(name: "", durable: true, autoDelete: true)),
            .queueDeclare, [0, 0, 0, 0b01010, 0, 0, 0, 0]
        ),
        (.queueBind(binding), .queueBind, bindingFields + [1] + arguments),
        (.queueUnbind(binding), .queueUnbind, bindingFields + arguments),
        (.queuePurge(name: "q"), .queuePurge, [0, 0, 1, 0x71, 0]),
        (.queueDelete(name: "q", ifUnused: true, ifEmpty: false, noWait: true), .queueDelete, [0, 0, 1, 0x71, 0b101]),
    ]

    private static let basicCases: [Case] = [
        (
            .basicQos(prefetchSize: 0x0102_0304, prefetchCount: 0x0506, global: true), .basicQos,
            [1, 2, 3, 4, 5, 6, 1]
        ),
        (
            .basicConsume(
                ClientMethod.Consume(
                    queue: "q",
                    consumerTag: "t",
                    noLocal: true,
                    noAck: false,
                    exclusive: true,
                    noWait: false,
                    arguments: ["k": true]
                )
            ),
            .basicConsume, [0, 0, 1, 0x71, 1, 0x74, 0b0101] + arguments
        ),
        (.basicCancel(consumerTag: "t", noWait: true), .basicCancel, [1, 0x74, 1]),
        (.basicGet(queue: "q", noAck: true), .basicGet, [0, 0, 1, 0x71, 1]),
        (.basicRecover(requeue: true), PeerMethod(60, 110), [1]),
    ]

    @Test func `each method, byte for byte`() throws {
        let pool = Pool()
        for (method, id, fields) in Self.connectionCases + Self.topologyCases + Self.basicCases {
            let buffer = OutboundBuffer()
            try buffer.append(method, channel: 0x0102, frameMax: 4096, pool: pool)
            let expected = PeerFrame.method(id, channel: 0x0102) { $0.raw(fields) }
            #expect(try drained(buffer) == expected.bytes, "\(method.name)")
            #expect(MethodID(classID: id.classID, methodID: id.methodID).name == method.name)
        }
    }

    @Test func `settlements, byte for byte`() throws {
        let buffer = OutboundBuffer()
        try buffer.appendAck(channel: 1, deliveryTag: 0x0102_0304_0506_0708, multiple: true)
        try buffer.appendNack(channel: 2, deliveryTag: 9, multiple: true, requeue: false)
        try buffer.appendNack(channel: 2, deliveryTag: 9, multiple: false, requeue: true)
        try buffer.appendReject(channel: 3, deliveryTag: .max, requeue: true)
        buffer.appendHeartbeat()
        let expected: [PeerFrame] = [
            .method(.basicAck, channel: 1) { $0.raw([1, 2, 3, 4, 5, 6, 7, 8, 1]) },
            .method(.basicNack, channel: 2) { $0.raw([0, 0, 0, 0, 0, 0, 0, 9, 1]) },
            .method(.basicNack, channel: 2) { $0.raw([0, 0, 0, 0, 0, 0, 0, 9, 2]) },
            .method(.basicReject, channel: 3) { $0.raw([UInt8](repeating: 255, count: 8) + [1]) },
            .heartbeat,
        ]
        #expect(try drained(buffer) == expected.flatMap(\.bytes))
    }

    @Test(arguments: [1, 100, 2000, 2100, 4000])
    func `arguments up to the frame's size`(count: Int) throws {
        let buffer = OutboundBuffer()
        let arguments: FieldTable = ["k": .string(String(repeating: "x", count: count))]
        let method = ClientMethod.queueDeclare(ClientMethod.DeclareQueue(name: "q", arguments: arguments))
        try buffer.append(method, channel: 1, frameMax: 4096, pool: Pool())
        let all = frames(in: try drained(buffer))
        #expect(all.count == 1)
        #expect(all[0].payload.count == 4 + 2 + 2 + 1 + 4 + 2 + 5 + count)
    }

    @Test func `arguments that don't fit a frame leave nothing behind`() throws {
        let buffer = OutboundBuffer()
        let arguments: FieldTable = ["k": .string(String(repeating: "x", count: 5000))]
        for method in [
            ClientMethod.queueDeclare(ClientMethod.DeclareQueue(name: "q", arguments: arguments)),
            .connectionUpdateSecret(secret: [UInt8](repeating: 1, count: 5000), reason: ""),
        ] {
            #expect(throws: AMQPError.self) {
                try buffer.append(method, channel: 1, frameMax: 4096, pool: Pool())
            }
            #expect(buffer.isEmpty)
        }
    }

    @Test func `short strings of more than 255 bytes, and long keys, are refused`() {
        let long = String(repeating: "\u{E9}", count: 128)
        let key: FieldTable = ["a": .array([.table([long: 1])])]
        let refused: [ClientMethod] = [
            .connectionOpen(virtualHost: long), .connectionClose(replyCode: 200, replyText: long),
            .channelClose(replyCode: 200, replyText: long), .connectionUpdateSecret(secret: [], reason: long),
            .connectionStartOk(ClientMethod.StartOk(clientProperties: key, mechanism: "PLAIN", response: [])),
            .exchangeDeclare(ClientMethod.DeclareExchange(name: long, type: "t")),
            .exchangeDeclare(ClientMethod.DeclareExchange(name: "e", type: long)),
            .exchangeDeclare(ClientMethod.DeclareExchange(name: "e", type: "t", arguments: key)),
            .exchangeDelete(name: long, ifUnused: false, noWait: false),
            .exchangeBind(ClientMethod.Binding(destination: long, source: "", routingKey: "")),
            .queueBind(ClientMethod.Binding(destination: "", source: long, routingKey: "")),
            .queueUnbind(ClientMethod.Binding(destination: "", source: "", routingKey: long)),
            .exchangeUnbind(ClientMethod.Binding(destination: "", source: "", routingKey: "", arguments: key)),
            .queueDeclare(ClientMethod.DeclareQueue(name: long)),
            .queueDeclare(ClientMethod.DeclareQueue(name: "q", arguments: key)), .queuePurge(name: long),
            .queueDelete(name: long, ifUnused: false, ifEmpty: false, noWait: false),
            .basicGet(queue: long, noAck: true), .basicCancel(consumerTag: long, noWait: false),
            .basicConsume(ClientMethod.Consume(queue: long, consumerTag: "")),
            .basicConsume(ClientMethod.Consume(queue: "", consumerTag: long)),
            .basicConsume(ClientMethod.Consume(queue: "", consumerTag: "", arguments: key)),
        ]
        for method in refused {
            #expect(throws: AMQPError.self, "\(method.name)") { try method.validate() }
        }
    }
}

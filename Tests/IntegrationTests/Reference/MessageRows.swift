import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: messages", .timeLimit(.minutes(1)))
struct MessageRows {
    /// Sends a message to the broker and back.
    private func roundTrip(_ message: Message) async throws -> IncomingMessage {
        try await TestBroker.withQueue { _, _, queue, exchange in
            try await exchange.publish(message, routingKey: queue.name)
            return try #require(try await queue.get(noAck: true))
        }
    }

    @Test("row 28: every property comes back as it was sent, and the message equals the one sent")
    func properties() async throws {
        let long = String(repeating: "é", count: 127) + "e"
        let sent = Message(
            body: Array(0...255),
            headers: ["a": 1],
            contentType: "text/plain",
            contentEncoding: "utf-8",
            deliveryMode: .persistent,
            priority: 7,
            correlationID: long,
            replyTo: "answers",
            expiration: "60000",
            messageID: "id-1",
            timestamp: Date(timeIntervalSince1970: 1_700_000_000),
            type: "greeting",
            userID: try TestBroker.username,
            appID: "tests"
        )
        let received = try await roundTrip(sent)
        #expect(received.message == sent)
        #expect(received.correlationID == long)
        #expect(received.priority == 7)
        #expect(received.deliveryMode == .persistent)
        #expect(received.timestamp == Date(timeIntervalSince1970: 1_700_000_000))
        var other = received.message
        other.appID = "others"
        #expect(other != sent)
        other.appID = "tests"
        #expect(other == sent)
        other.body[0] = 9
        #expect(other != sent)
    }

    @Test("row 28: the timestamp is now unless told, in whole seconds")
    func timestamp() async throws {
        let before = Date().timeIntervalSince1970.rounded(.down)
        let received = try await roundTrip(Message(body: []))
        let timestamp = try #require(received.timestamp?.timeIntervalSince1970)
        #expect((before...Date().timeIntervalSince1970).contains(timestamp))
        #expect(received.contentType == "application/octet-stream")
    }

    @Test(
        "row 28: text is encoded with contentEncoding and decoded with it",
        arguments: ["utf-8", "latin-1", "utf-16"]
    )
    func text(_ encoding: String) async throws {
        let received = try await roundTrip(Message("grün", contentEncoding: encoding))
        #expect(received.contentEncoding == encoding)
        #expect(try received.text() == "grün")
        let sizes = ["utf-8": 5, "latin-1": 4]
        if let size = sizes[encoding] { #expect(received.body.count == size) }
    }

    @Test("row 28: an unknown encoding is an error")
    func unknownEncoding() {
        #expect { try Message("x", contentEncoding: "klingon") } throws: { AMQPError.Code.encodingFailed ~= $0 }
    }

    struct Order: Codable, Equatable {
        var id: Int
        var items: [String]
    }

    @Test("row 28, row 29: JSON values and Codable values travel as application/json, and are parsed back")
    func json() async throws {
        let order = try await roundTrip(Message(encoding: Order(id: 17, items: ["ä", "b"])))
        #expect(order.contentType == "application/json")
        #expect(try order.decode(Order.self) == Order(id: 17, items: ["ä", "b"]))
        #expect(try order.json()["id"] == 17)
        let value: Message.JSON = ["id": 17, "nested": [1, 2.5, nil, true, "x"]]
        let received = try await roundTrip(Message(json: value, contentEncoding: "utf-16"))
        #expect(received.contentType == "application/json")
        #expect(received.contentEncoding == "utf-16")
        #expect(try received.json() == value)
        #expect { try received.decode(Order.self) } throws: { AMQPError.Code.decodingFailed ~= $0 }
    }

    @Test("row 29: a body that is not JSON, or not text in its encoding, is an error")
    func notJSON() async throws {
        let text = try await roundTrip(Message("not json"))
        #expect { try text.json() } throws: { AMQPError.Code.decodingFailed ~= $0 }
        let bytes = try await roundTrip(Message(body: [0xFF, 0xFE, 0xFD], contentEncoding: "utf-8"))
        #expect { try bytes.json() } throws: { AMQPError.Code.decodingFailed ~= $0 }
    }

    @Test("row 28: short strings over 255 bytes are refused with a clear error, and the channel goes on")
    func tooLong() async throws {
        let long = String(repeating: "é", count: 128)
        let fields: [(String, WritableKeyPath<Message, String?>)] = [
            ("contentType", \.contentType), ("contentEncoding", \.contentEncoding), ("correlationID", \.correlationID),
            ("replyTo", \.replyTo), ("expiration", \.expiration), ("messageID", \.messageID), ("type", \.type),
            ("userID", \.userID), ("appID", \.appID),
        ]
        try await TestBroker.withQueue { _, channel, queue, exchange in
            for (name, field) in fields {
                var message = Message(body: [])
                message[keyPath: field] = long
                let error = await expectError(.invalidMessage) {
                    try await exchange.publish(message, routingKey: queue.name)
                }
                #expect(error?.message.contains(name) == true)
                #expect(error?.message.contains("256") == true)
            }
            await expectError(.invalidArgument) { try await exchange.publish(Message(body: []), routingKey: long) }
            var message = Message(body: [])
            message.headers = [long: 1]
            await expectError(.invalidMessage) { try await exchange.publish(message, routingKey: queue.name) }
            #expect(channel.closeReason == nil)
            let arrived = try await queue.get()
            #expect(arrived == nil)
        }
    }

    @Test("row 30: absent properties stay nil")
    func absent() async throws {
        var bare = Message(body: [1], timestamp: nil)
        bare.contentType = nil
        let received = try await roundTrip(bare)
        #expect(received.message == bare)
        #expect(received.contentType == nil)
        #expect(received.contentEncoding == nil)
        #expect(received.headers == nil)
        #expect(received.deliveryMode == nil)
        #expect(received.priority == nil)
        #expect(received.correlationID == nil)
        #expect(received.replyTo == nil)
        #expect(received.expiration == nil)
        #expect(received.messageID == nil)
        #expect(received.timestamp == nil)
        #expect(received.type == nil)
        #expect(received.userID == nil)
        #expect(received.appID == nil)
    }

    @Test("row 30: an incoming message knows exchange, key, tags and whether it was delivered before")
    func incoming() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("amq.topic", type: .topic, passive: true)
            let key = TestBroker.uniqueName("key")
            try await queue.bind(to: exchange, routingKey: key)
            try await exchange.publish(Message(body: [1]), routingKey: key)
            try await exchange.publish(Message(body: [2]), routingKey: key)
            var tags: [UInt64] = []
            for try await message in try await queue.consume(ConsumerOptions(tag: "reader")) {
                #expect(message.exchangeName == "amq.topic")
                #expect(message.routingKey == key)
                #expect(message.consumerTag == "reader")
                tags.append(message.deliveryTag)
                if message.redelivered {
                    #expect(message.body == [1])
                    break
                }
                if message.body == [1] { try message.reject() } else { try message.ack() }
            }
            #expect(tags == [1, 2, 3])
        }
    }
}

import Foundation
import Testing

@testable import RabbitMQ

@Suite struct MessageTests {
    static let shortStrings: [(String, any WritableKeyPath<Message, String?> & Sendable)] = [
        ("contentType", \.contentType), ("contentEncoding", \.contentEncoding), ("correlationID", \.correlationID),
        ("replyTo", \.replyTo), ("expiration", \.expiration), ("messageID", \.messageID), ("type", \.type),
        ("userID", \.userID), ("appID", \.appID),
    ]

    @Test func `bytes are kept, and everything but type and time stamp is absent`() {
        let before = Date()
        let message = Message(body: [0, 255, 128])
        #expect(message.body == [0, 255, 128])
        #expect(message.contentType == "application/octet-stream")
        #expect(message.deliveryMode == nil)
        #expect(message.priority == nil)
        #expect(message.headers == nil)
        for (_, property) in Self.shortStrings.dropFirst() {
            #expect(message[keyPath: property] == nil)
        }
        #expect(message.extras == nil)
        let timestamp = message.timestamp?.timeIntervalSince1970 ?? -1
        #expect(timestamp == timestamp.rounded())
        #expect(abs(timestamp - before.timeIntervalSince1970) < 5)
    }

    @Test func `any sequence of bytes makes a body`() {
        #expect(Message(body: Data([1, 2])).body == [1, 2])
        #expect(Message(body: "é".utf8).body == [0xC3, 0xA9])
        #expect(Message(body: [1, 2, 3][1...], contentType: "a/b").contentType == "a/b")
        #expect(Message(body: []).body.isEmpty)
    }

    @Test func `every property of the initializer is kept`() {
        let message = Message(
            body: [1],
            headers: ["h": 1],
            contentType: "ct",
            contentEncoding: "ce",
            deliveryMode: .persistent,
            priority: 255,
            correlationID: "ci",
            replyTo: "rt",
            expiration: "60000",
            messageID: "mi",
            timestamp: Date(timeIntervalSince1970: 12.75),
            type: "t",
            userID: "ui",
            appID: "ai"
        )
        #expect(message.headers == ["h": 1])
        let values = Self.shortStrings.map { message[keyPath: $0.1] }
        #expect(values == ["ct", "ce", "ci", "rt", "60000", "mi", "t", "ui", "ai"])
        #expect(message.deliveryMode == .persistent)
        #expect(message.priority == 255)
        #expect(message.timestamp == Date(timeIntervalSince1970: 12))
        #expect(message.timestampSeconds == 12)
    }

    @Test func `what has no rare property but UTF-8 shares one box, however it was made`() throws {
        let shared = try #require(try Message("a").extras)
        #expect(try Message(encoding: 1).extras === shared)
        #expect(try Message(json: 1).extras === shared)
        var message = try Message("a", messageID: "m")
        #expect(message.extras !== shared)
        message.messageID = nil
        #expect(message.extras === shared)
        #expect(shared.values == MessageExtras.Values(contentEncoding: "utf-8"))
        #expect(try Message("a", contentEncoding: "UTF-8").contentEncoding == "UTF-8")
    }

    @Test func `no time stamp can be asked for`() {
        #expect(Message(body: [], timestamp: nil).timestamp == nil)
    }

    @Test func `the parts of a decoded message get no defaults`() {
        let message = Message(
            body: [],
            contentType: nil,
            deliveryMode: nil,
            priority: nil,
            timestampSeconds: nil,
            extras: nil
        )
        #expect(message.contentType == nil)
        #expect(message.timestamp == nil)
        #expect(message.extras == nil)
    }

    @Test(arguments: shortStrings.indices)
    func `every text property can be set, and nil makes it absent`(index: Int) {
        let (_, property) = Self.shortStrings[index]
        var message = Message(body: [], timestamp: nil)
        message.contentType = nil
        let empty = message
        message[keyPath: property] = "value"
        for (other, (_, path)) in Self.shortStrings.enumerated() {
            #expect(message[keyPath: path] == (other == index ? "value" : nil))
        }
        #expect(message != empty)
        message[keyPath: property] = nil
        #expect(message == empty)
        #expect(message.extras == nil)
    }

    @Test func `headers, delivery mode, priority, time stamp and body can be set`() {
        var message = Message(body: [])
        message.headers = ["a": 1]
        message.headers?["b"] = [1, 2]
        message.deliveryMode = .transient
        message.priority = 3
        message.timestamp = Date(timeIntervalSince1970: -5)
        message.body.append(7)
        #expect(message.headers == ["a": 1, "b": [1, 2]])
        #expect(message.deliveryMode?.rawValue == 1)
        #expect(message.priority == 3)
        #expect(message.timestamp == Date(timeIntervalSince1970: 0))
        #expect(message.body == [7])
    }

    @Test func `a copy is changed alone`() {
        let original = Message(body: [1], headers: ["a": 1], messageID: "one")
        var copy = original
        #expect(copy.extras === original.extras)
        copy.messageID = "two"
        copy.headers?["a"] = 2
        copy.body[0] = 2
        #expect(original.messageID == "one")
        #expect(original.headers == ["a": 1])
        #expect(original.body == [1])
        #expect(copy.messageID == "two")
        #expect(copy.headers == ["a": 2])
    }

    @Test func `messages are equal by body and all properties`() {
        let date = Date(timeIntervalSince1970: 1)
        let message = Message(body: [1], headers: ["a": 1], messageID: "m", timestamp: date)
        let same = Message(body: [1], headers: ["a": 1], messageID: "m", timestamp: date)
        #expect(message == same)
        #expect(message.hashValue == same.hashValue)
        let changes: [(inout Message) -> Void] = [
            { $0.body = [2] }, { $0.headers = ["a": 2] }, { $0.headers = nil }, { $0.contentType = nil },
            { $0.deliveryMode = .persistent }, { $0.priority = 0 }, { $0.timestamp = nil }, { $0.messageID = "n" },
            { $0.appID = "" },
        ]
        for change in changes {
            var other = message
            change(&other)
            #expect(other != message)
        }
    }

    @Test(arguments: shortStrings.indices)
    func `255 bytes of UTF-8 are taken in a text property and 256 refused by its name`(index: Int) {
        let (name, property) = Self.shortStrings[index]
        var message = Message(body: [])
        message[keyPath: property] = String(repeating: "é", count: 127) + "a"
        #expect(throws: Never.self) { try message.validate() }
        message[keyPath: property] = String(repeating: "é", count: 128)
        let error = #expect(throws: AMQPError.self) { try message.validate() }
        #expect(error?.code == .invalidMessage)
        #expect(error?.message == "\(name) has 256 bytes of UTF-8; at most 255 are possible")
    }

    @Test func `invalid headers are refused`() {
        var message = Message(body: [], headers: ["a": ["b": 1]])
        #expect(throws: Never.self) { try message.validate() }
        message.headers = ["a": ["b": [.table([String(repeating: "k", count: 256): 1])]]]
        let error = #expect(throws: AMQPError.self) { try message.validate() }
        #expect(error?.code == .invalidMessage)
        #expect(error?.message.hasPrefix("headers") == true)
    }

    @Test(
        arguments: [
            (.milliseconds(1_500), "1500"), (.zero, "0"), (.seconds(-1), "0"), (.nanoseconds(1), "1"),
            (.microseconds(1_001), "2"), (.milliseconds(4_294_967_295), "4294967295"),
            (.seconds(Int64.max), "4294967295"),
            (.seconds(Int64.min), "0"), (.seconds(1e19), "4294967295"),
            (.nanoseconds(4_294_967_294_000_001), "4294967295"),
        ] as [(Duration, String)]
    )
    func `a time to live becomes whole milliseconds`(duration: Duration, expiration: String) {
        var message = Message(body: [])
        message.timeToLive = duration
        #expect(message.expiration == expiration)
    }

    @Test func `a time to live is read from the expiration`() {
        var message = Message(body: [], expiration: "60001")
        #expect(message.timeToLive == .milliseconds(60_001))
        message.expiration = String(UInt64.max)
        #expect(message.timeToLive != nil)
        for text in ["", "soon", "-1", "1.5"] {
            message.expiration = text
            #expect(message.timeToLive == nil)
        }
        message.timeToLive = nil
        #expect(message.expiration == nil)
    }

    @Test(
        arguments: [
            (.milliseconds(1_500), 1_500), (.zero, 0), (.seconds(-1), 0), (.nanoseconds(1), 1),
            (.milliseconds(4_294_967_295), 4_294_967_295), (.milliseconds(4_294_967_296), 4_294_967_295),
            (.seconds(Int64.max), 4_294_967_295), (.seconds(Int64.min), 0),
        ] as [(Duration, Int64)]
    )
    func `a delay becomes whole milliseconds in a header, as many as the exchange takes`(
        duration: Duration,
        milliseconds: Int64
    ) {
        var message = Message(body: [], headers: ["other": 1])
        message.delay = duration
        #expect(message.headers == ["other": 1, "x-delay": .int64(milliseconds)])
        #expect(message.delay == .milliseconds(milliseconds))
        message.delay = nil
        #expect(message.headers == ["other": 1])
    }

    @Test func `a delay is read from its header, negative when it is over`() {
        #expect(Message(body: [], headers: ["x-delay": .int32(-1_500)]).delay == .milliseconds(-1_500))
        #expect(Message(body: [], headers: ["x-delay": .int64(.max)]).delay == .milliseconds(Int64.max))
        #expect(Message(body: [], headers: ["x-delay": .int64(.min)]).delay == .milliseconds(Int64.min))
        #expect(Message(body: [], headers: ["x-delay": "soon"]).delay == nil)
        #expect(Message(body: []).delay == nil)
    }

    @Test func `a description shows neither body nor headers`() throws {
        let message = try Message("secret", headers: ["token": "hunter2"], contentType: "text/plain")
        #expect(message.description == "Message(6 bytes, \"text/plain\")")
        #expect(DeliveryMode.persistent.description == "persistent")
        #expect(DeliveryMode(rawValue: 7).description == "delivery mode 7")
    }
}

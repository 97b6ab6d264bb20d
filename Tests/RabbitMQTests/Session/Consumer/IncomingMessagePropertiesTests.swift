import Foundation
import Testing

@testable import RabbitMQ

@Suite("the properties of a message that came")
struct IncomingMessagePropertiesTests {
    private let consumers = UnconnectedConsumers()

    private func incoming(_ message: Message) -> IncomingMessage {
        IncomingMessage(
            message: message,
            deliveryTag: 1,
            redelivered: false,
            exchangeName: "",
            routingKey: "",
            source: consumers.consumer("c").source
        )
    }

    @Test func `each is the message's own`() {
        let incoming = incoming(
            Message(
                body: [1],
                headers: ["h": 1],
                contentType: "ct",
                contentEncoding: "ce",
                deliveryMode: .persistent,
                priority: 9,
                correlationID: "ci",
                replyTo: "rt",
                expiration: "60000",
                messageID: "mi",
                timestamp: Date(timeIntervalSince1970: 12),
                type: "t",
                userID: "ui",
                appID: "ai"
            )
        )
        #expect(incoming.headers == ["h": 1])
        #expect(incoming.contentType == "ct")
        #expect(incoming.contentEncoding == "ce")
        #expect(incoming.deliveryMode == .persistent)
        #expect(incoming.priority == 9)
        #expect(incoming.correlationID == "ci")
        #expect(incoming.replyTo == "rt")
        #expect(incoming.expiration == "60000")
        #expect(incoming.messageID == "mi")
        #expect(incoming.timestamp == Date(timeIntervalSince1970: 12))
        #expect(incoming.type == "t")
        #expect(incoming.userID == "ui")
        #expect(incoming.appID == "ai")
    }

    @Test func `what was absent is nil`() {
        var message = Message(body: [], timestamp: nil)
        message.contentType = nil
        let incoming = incoming(message)
        #expect(incoming.headers == nil && incoming.deliveryMode == nil && incoming.priority == nil)
        #expect(incoming.timestamp == nil)
        let texts = [
            incoming.contentType, incoming.contentEncoding, incoming.correlationID, incoming.replyTo,
            incoming.expiration, incoming.messageID, incoming.type, incoming.userID, incoming.appID,
        ]
        #expect(texts.allSatisfy { $0 == nil })
    }

    @Test func `others are found too, also those that an extension adds`() {
        let incoming = incoming(Message(body: [1, 2], expiration: "1500"))
        #expect(incoming.timeToLive == .milliseconds(1500))
        #expect(!incoming.isPersistent)
        #expect(incoming.bodySizeInTests == 2)
    }
}

extension Message {
    fileprivate var bodySizeInTests: Int { body.count }
}

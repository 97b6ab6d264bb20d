import Foundation
import Testing

@testable import RabbitMQ

@Suite("How a message was dead-lettered")
struct DeathTests {
    @Test("x-death is read whole, the latest first")
    func deaths() {
        let message = Message(
            body: [],
            headers: [
                "x-death": [
                    [
                        "queue": "retry", "reason": "expired", "count": 2, "exchange": "",
                        "routing-keys": ["retry", "copy"], "time": .timestamp(1_700_000_000),
                        "original-expiration": "1500",
                    ],
                    ["queue": "work", "reason": "rejected", "count": 3, "exchange": "orders", "routing-keys": ["new"]],
                ],
                "x-first-death-queue": "work",
                "x-first-death-reason": "rejected",
                "x-first-death-exchange": "orders",
            ]
        )
        let deaths = message.deaths
        #expect(deaths.map(\.queue) == ["retry", "work"])
        #expect(deaths.map(\.reason) == [.expired, .rejected])
        #expect(deaths.map(\.count) == [2, 3])
        #expect(deaths.map(\.exchange) == ["", "orders"])
        #expect(deaths.map(\.routingKeys) == [["retry", "copy"], ["new"]])
        #expect(deaths.map(\.time) == [Date(timeIntervalSince1970: 1_700_000_000), nil])
        #expect(deaths.map(\.originalExpiration) == [.milliseconds(1500), nil])
        #expect(message.firstDeath == FirstDeath(queue: "work", reason: .rejected, exchange: "orders"))
    }

    @Test(
        "what is not an x-death is none",
        arguments: [
            [:], ["x-death": "dead"], ["x-death": ["dead", nil, 1]], ["x-death": [["queue": "work"]]],
            ["x-death": [["reason": "rejected"]]], ["x-death": [["queue": 1, "reason": 2]]],
        ] as [FieldTable]
    )
    func malformed(headers: FieldTable) {
        let message = Message(body: [], headers: headers)
        #expect(message.deaths.isEmpty)
        #expect(message.firstDeath == nil)
        #expect(Message(body: []).deaths.isEmpty)
    }

    @Test("odd fields of x-death do no harm")
    func oddFields() {
        let message = Message(
            body: [],
            headers: [
                "x-death": [
                    [
                        "queue": "q", "reason": "melted", "count": -7, "exchange": 1, "routing-keys": [1, "a", nil],
                        "time": "now", "original-expiration": "-1",
                    ]
                ]
            ]
        )
        let death = message.deaths.first
        #expect(death?.reason == Death.Reason(rawValue: "melted"))
        #expect(death?.count == 1)
        #expect(death?.routingKeys == ["a"])
        #expect(death?.time == nil)
        #expect(death?.originalExpiration == nil)
    }

    @Test("delivery counts and stream offsets are read in whatever integer type they come")
    func counts() {
        #expect(Message(body: [], headers: ["x-delivery-count": .int32(4)]).deliveryCount == 4)
        #expect(Message(body: [], headers: ["x-delivery-count": -4]).deliveryCount == 0)
        #expect(Message(body: []).deliveryCount == nil)
        #expect(Message(body: [], headers: ["x-acquired-count": .int32(4)]).acquiredCount == 4)
        #expect(Message(body: [], headers: ["x-acquired-count": -4]).acquiredCount == 0)
        #expect(Message(body: [], headers: ["x-acquired-count": "4"]).acquiredCount == nil)
        #expect(Message(body: []).acquiredCount == nil)
        #expect(Message(body: [], headers: ["x-stream-offset": 17]).streamOffset == 17)
        #expect(Message(body: [], headers: ["x-stream-offset": .uint64(.max)]).streamOffset == .max)
        #expect(Message(body: [], headers: ["x-stream-offset": -1]).streamOffset == nil)
    }
}

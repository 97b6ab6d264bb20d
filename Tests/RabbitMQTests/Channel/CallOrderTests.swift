import Testing

@testable import RabbitMQ

@Suite("The order of answers on a channel")
struct CallOrderTests {
    private func state(waitingFor methods: [ClientMethod]) throws -> ChannelState {
        var state = ChannelState()
        for method in methods { try state.register(PendingCall(method: method, reply: OneShot())) }
        return state
    }

    private func consume(_ tag: String) -> ClientMethod {
        .basicConsume(ClientMethod.Consume(queue: "q", consumerTag: tag))
    }

    @Test("answers of the channel are in order, and one out of order is a violation")
    func inOrder() throws {
        var state = try state(waitingFor: [.confirmSelect, .txSelect])
        #expect(throws: AMQPError.self) { try state.takeCall(answeredBy: .txSelectOk) }
        #expect(try state.takeCall(answeredBy: .confirmSelectOk).method == .confirmSelect)
        #expect(try state.takeCall(answeredBy: .txSelectOk).method == .txSelect)
        #expect(throws: AMQPError.self) { try state.takeCall(answeredBy: .txSelectOk) }
    }

    @Test("answers that come from queues may be overtaken, by each other too, and are told apart by their tags")
    func overtaken() throws {
        let cancel = ClientMethod.basicCancel(consumerTag: "a", noWait: false)
        var state = try state(waitingFor: [consume("a"), consume("b"), .confirmSelect, cancel, .txSelect])
        #expect(state.nextCall?.method == .confirmSelect)
        #expect(try state.takeCall(answeredBy: .confirmSelectOk).method == .confirmSelect)
        #expect(try state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b")).method == consume("b"))
        #expect(throws: AMQPError.self) { try state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b")) }
        #expect(throws: AMQPError.self) { try state.takeCall(answeredBy: .basicCancelOk(consumerTag: "c")) }
        #expect(try state.takeCall(answeredBy: .txSelectOk).method == .txSelect)
        #expect(try state.takeCall(answeredBy: .basicCancelOk(consumerTag: "a")).method == cancel)
        #expect(try state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "a")).method == consume("a"))
    }
}

import Testing

@testable import RabbitMQ

@Suite("the phase of a channel")
struct ChannelPhaseTests {
    private var phase = ChannelPhase()
    private let first = AMQPError(.channelClosed, "first")
    private let second = AMQPError(.notFound, "second")

    @Test mutating func `the first reason counts, whoever closes next`() {
        #expect(phase.isOpen && phase.closeReason == nil)
        #expect(phase.beginClosing(first) == true)
        #expect(phase.beginClosing(second) == false)
        #expect(phase.hasSentClose && !phase.isOpen)
        #expect(phase.close(second) == true)
        #expect(phase.close(second) == false)
        #expect(phase.closeReason?.code == .channelClosed)
    }

    @Test mutating func `what the broker closes is not closed from our side`() {
        #expect(phase.close(second) == true)
        #expect(phase.beginClosing(first) == false)
        #expect(!phase.hasSentClose)
        #expect(phase.closeReason?.code == .notFound)
    }
}

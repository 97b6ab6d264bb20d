import Testing

@testable import RabbitMQ

@Suite("what a channel is told about itself")
struct ChannelSetupTests {
    @Test func `a new channel is told nothing`() { #expect(ChannelSetup().methods.isEmpty) }

    @Test func `confirms come before transactions, and both before the shared limit`() {
        var setup = ChannelSetup()
        setup.limit(.init(size: 7, count: 3), global: true)
        setup.isTransactional = true
        setup.confirmLimit = 5
        #expect(
            setup.methods == [
                .confirmSelect, .txSelect, .basicQos(prefetchSize: 7, prefetchCount: 3, global: true),
            ]
        )
    }

    @Test func `a limit for each is for those that begin later, and lifts the shared one, whatever it is`() {
        var setup = ChannelSetup()
        setup.limit(.init(count: 10), global: true)
        setup.limit(.init(), global: false)
        #expect(setup.shared == .init())
        setup.limit(.init(count: 10), global: true)
        setup.limit(.init(count: 2), global: false)
        #expect(setup.shared == .init() && setup.each.count == 2)
        #expect(setup.methods.isEmpty)
        setup.limit(.init(count: 4), global: true)
        #expect(setup.each.count == 2 && setup.shared.count == 4)
        setup.limit(.init(), global: true)
        #expect(setup.methods.isEmpty)
    }

    @Test func `the shared limit is set again behind each that lifts it`() {
        var setup = ChannelSetup()
        setup.limit(.init(count: 2), global: false)
        #expect(setup.limiting(each: .init(count: 2)) == [.basicQos(prefetchSize: 0, prefetchCount: 2, global: false)])
        setup.limit(.init(count: 4), global: true)
        #expect(
            setup.limiting(each: .init(count: 2)) == [
                .basicQos(prefetchSize: 0, prefetchCount: 2, global: false),
                .basicQos(prefetchSize: 0, prefetchCount: 4, global: true),
            ]
        )
    }
}

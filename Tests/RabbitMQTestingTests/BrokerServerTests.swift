import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// How long the broker's thread waits.
@Suite struct BrokerServerTests {
    private let now = ContinuousClock.now

    private let client = RawClient(heartbeat: 1)

    private var serving: BrokerServer.State {
        BrokerServer.State(broker: client.broker, clock: BrokerClock(isRunning: false))
    }

    @Test func `it wakes for each heartbeat`() {
        var state = serving
        #expect(state.timeout(at: now) == -1)
        state.beat(at: now)
        #expect(state.timeout(at: now) == 500)
        state.broker.connections[client.connection]?.output = []
        state.beat(at: now + .seconds(1))
        #expect(state.broker.connections[client.connection]?.output.count == 8)
        #expect(state.timeout(at: now + .seconds(1)) == 500)
    }

    @Test(arguments: [false, true])
    func `danger: a connection that ends and lingers does not keep it awake`(isDropped: Bool) {
        var state = serving
        state.beat(at: now)
        if isDropped {
            state.broker.drop(client.connection)
        } else {
            state.broker.closeConnection(client.connection, Refusal(.connectionForced, "moving house"))
        }
        state.beat(at: now + .seconds(1))
        #expect(state.timeout(at: now + .seconds(1)) == -1)
    }

    @Test func `danger: a client that does not finish its beginning or its end is given up`() {
        var state = serving
        let (closing, beginning) = (client.connection, state.broker.connect())
        let opened = state.overdue(at: now)
        #expect(opened.isEmpty && state.timeout(at: now) == 10_000)
        state.broker.closeConnection(closing, Refusal(.connectionForced, "moving house"))
        let closed = state.overdue(at: now + .seconds(1))
        let overdue = state.overdue(at: now + .seconds(10))
        #expect(closed.isEmpty && overdue == [beginning])
        // A test's business, for as long as it likes.
        state.broker.freeze(beginning)
        let frozen = state.overdue(at: now + .seconds(11))
        #expect(frozen == [closing])
        state.broker.connections[beginning]?.isFrozen = false
        let thawed = state.overdue(at: now + .seconds(20)).sorted()
        #expect(thawed == [closing])
    }

    @Test func `danger: a connection that is open is never given up`() {
        var state = serving
        let first = state.overdue(at: now)
        let second = state.overdue(at: now + .seconds(3600))
        #expect(first.isEmpty && second.isEmpty && state.timeout(at: now) == -1)
    }

    @Test func `danger: where no descriptor is left, connections wait and the thread does too`() {
        var state = serving
        let later = now + .milliseconds(20)
        var seen = [state.acceptsConnections(at: now)]
        state.pauseAccepting(at: now)
        seen.append(state.acceptsConnections(at: now))
        #expect(state.timeout(at: now) == 20)
        seen.append(state.acceptsConnections(at: later))
        #expect(seen == [true, false, true])
        #expect(state.timeout(at: later) == -1)
    }
}

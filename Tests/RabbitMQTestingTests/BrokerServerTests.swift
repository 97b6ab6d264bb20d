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

import Testing

@testable import RabbitMQ

@Suite("the order in which declarations are repeated")
struct ReplayStepsTests {
    private func names(_ steps: [[ConnectionCore.ReplayStep]]) -> [String] {
        steps.joined().map { step in
            switch step.method {
            case .exchangeDeclare(let declaration): "e:\(declaration.name)" + (declaration.passive ? "?" : "")
            case .queueDeclare(let declaration): "q:\(declaration.name)" + (declaration.passive ? "?" : "")
            default: "another"
            }
        }
    }

    @Test func `alternates come first, and queues behind exchanges`() {
        let declared = DeclaredTopology(
            exchanges: [
                Topology.Exchange("a", type: .direct, arguments: ExchangeArguments(alternateExchange: "b")),
                Topology.Exchange("b", type: .fanout, arguments: ExchangeArguments(alternateExchange: "c")),
                Topology.Exchange("c", type: .fanout),
            ],
            queues: [QueueIdentity(Topology.Queue("q")), QueueIdentity(Topology.Queue("r"))]
        )
        #expect(names(ConnectionCore.steps(declared, RecoveryPolicy())) == ["e:c", "e:b", "e:a", "q:q", "q:r"])
    }

    @Test func `a queue that the broker named is declared by the empty name, and looked for by its own`() {
        let identity = QueueIdentity(Topology.Queue("amq.gen-1", exclusive: true), isServerNamed: true)
        let declared = DeclaredTopology(queues: [identity, QueueIdentity(Topology.Queue("q"))])
        let steps = ConnectionCore.steps(declared, RecoveryPolicy())
        #expect(names(steps) == ["q:", "q:q"])
        #expect(steps.joined().map { $0.identity === identity } == [true, false])
        var policy = RecoveryPolicy()
        policy.topology = { _ in .verify }
        #expect(names(ConnectionCore.steps(declared, policy)) == ["q:amq.gen-1?", "q:q?"])
    }

    @Test func `each entity has its policy`() {
        var policy = RecoveryPolicy()
        policy.topology = { entity in
            switch entity {
            case .exchange(let exchange): exchange.name == "e" ? .verify : .leave
            case .queue(let queue): queue.name == "q" ? .leave : .declare
            case .binding(let binding):
                switch binding.routingKey {
                case "declare": .declare
                case "verify": .verify
                default: .leave
                }
            }
        }
        let declared = DeclaredTopology(
            exchanges: [Topology.Exchange("e", type: .direct), Topology.Exchange("f", type: .direct)],
            queues: [QueueIdentity(Topology.Queue("q")), QueueIdentity(Topology.Queue("r"))]
        )
        #expect(names(ConnectionCore.steps(declared, policy)) == ["e:e?", "q:r"])
        let bindings = ["declare", "verify", "leave"].map { Topology.Binding(queue: "q", to: "e", routingKey: $0) }
        let steps = ConnectionCore.bindingSteps(bindings, policy)
        #expect(steps.map(\.method) == [bindings[0].bind(noWait: false)])
    }

    @Test func `nothing declared is nothing to do`() {
        #expect(ConnectionCore.steps(DeclaredTopology(), RecoveryPolicy()).joined().isEmpty)
        #expect(ConnectionCore.bindingSteps([], RecoveryPolicy()).isEmpty)
    }
}

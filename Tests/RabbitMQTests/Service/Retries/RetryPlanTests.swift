import Testing

@testable import RabbitMQ

@Suite("What a retry policy has done")
struct RetryPlanTests {
    private func plan(_ policy: RetryPolicy, brokerDelays: Bool = false) -> RetryPlan {
        RetryPlan(
            policy: policy,
            ring: RetryRing(policy, queue: "q", queueType: nil),
            brokerDelays: brokerDelays
        )
    }

    private func message(failures: Int) -> RetriedMessage {
        var message = RetriedMessage(message: Message(body: [1]), exchange: "", routingKey: "q")
        message.failures = failures
        return message
    }

    private func queue(_ step: RetryStep) -> String? { if case .send(let queue, _) = step { queue } else { nil } }

    private func headers(_ step: RetryStep) -> FieldTable? {
        if case .send(_, let message) = step { message.headers } else { nil }
    }

    private func step(_ plan: RetryPlan, _ decision: RetryDecision, failures: Int = 0, returns: Int = 0) -> RetryStep {
        plan.step(decision, message(failures: failures), error: "e", returns: returns, at: 7, random: 0.5)
    }

    @Test func `it is tried as often as the policy says, and then parked`() {
        let plan = plan(RetryPolicy(attempts: 3, delay: .seconds(1), jitter: 0))
        #expect(queue(step(plan, .retry)) == "q.retry.1000")
        #expect(queue(step(plan, .retry, failures: 1)) == "q.retry.2000")
        let last = step(plan, .retry, failures: 2)
        #expect(queue(last) == "q.parked")
        #expect(headers(last)?["x-parked-attempts"] == .int64(3))
        #expect(headers(last)?["x-parked-error"] == "e")
        #expect(queue(step(plan, .retry(after: .seconds(1)), failures: 2)) == "q.parked")
        // One that was tried more often than the policy says, when it said otherwise.
        #expect(queue(step(plan, .retry, failures: .max)) == "q.parked")
    }

    @Test func `decisions are carried out`() {
        let plan = plan(RetryPolicy())
        #expect(step(plan, .done) == .acknowledge && step(plan, .drop) == .acknowledge)
        #expect(step(plan, .reject) == .reject && step(plan, .giveBack) == .giveBack)
        #expect(queue(step(plan, .park("why"))) == "q.parked")
        #expect(queue(step(plan, .retry(after: .zero))) == "q")
        #expect(queue(step(plan, .retry(after: .seconds(-5)))) == "q")
        #expect(queue(step(plan, .retry(after: .milliseconds(1500)))) == "q.retry.2000")
        #expect(headers(step(plan, .retry(after: .seconds(12))))?["x-retry-rest"] == .int64(4000))
    }

    @Test func `the jitter shortens a delay by a random part`() {
        let plan = plan(RetryPolicy(attempts: 3, delay: .seconds(1), jitter: 0.5))
        for (random, expiration) in [(0, nil), (0.5, "750"), (1, "500"), (7, "500")] as [(Double, String?)] {
            let step = plan.step(.retry, message(failures: 0), error: nil, returns: 0, at: 7, random: random)
            guard case .send(let queue, let message) = step else {
                Issue.record("\(step)")
                continue
            }
            #expect(queue == "q.retry.1000" && message.expiration == expiration)
        }
    }

    @Test func `what has not waited long enough goes on waiting, and doesn't count`() {
        let plan = plan(RetryPolicy(attempts: 3, delay: .seconds(1), jitter: 0))
        var waiting = message(failures: 1)
        waiting.rest = 5000
        let step = plan.stepUnseen(waiting, returns: 0, at: 7)
        #expect(step.flatMap(queue) == "q.retry.2000")
        #expect(step.flatMap(headers)?["x-retry-attempt"] == .int64(1))
        #expect(step.flatMap(headers)?["x-retry-rest"] == .int64(3000))
    }

    @Test func `what comes back again and again without an outcome is parked unseen`() {
        let plan = plan(RetryPolicy(maxReturns: 3))
        #expect(plan.stepUnseen(message(failures: 1), returns: 2, at: 7) == nil)
        let step = plan.stepUnseen(message(failures: 1), returns: 3, at: 7)
        #expect(step.flatMap(queue) == "q.parked")
        #expect(step.flatMap(headers)?["x-parked-error"] == "it was delivered 3 times without any outcome")
        #expect(self.plan(RetryPolicy(maxReturns: nil)).stepUnseen(message(failures: 0), returns: .max, at: 7) == nil)
    }

    @Test func `where the broker lets messages wait they go back to it, and its count counts`() {
        let plan = plan(RetryPolicy(attempts: 3), brokerDelays: true)
        #expect(step(plan, .retry) == .return && step(plan, .retry, returns: 1) == .return)
        #expect(queue(step(plan, .retry, returns: 2)) == "q.parked")
        #expect(queue(step(plan, .retry, failures: 1, returns: 1)) == "q.parked")
        // It has no other delays than its own.
        #expect(queue(step(plan, .retry(after: .milliseconds(5)), returns: 1)) == "q.retry.1000")
        #expect(headers(step(plan, .retry(after: .milliseconds(5)), returns: 1))?["x-retry-attempt"] == .int64(2))
        #expect(plan.stepUnseen(message(failures: 1), returns: 1, at: 7) == nil)
        #expect(plan.stepUnseen(message(failures: 1), returns: 2, at: 7).flatMap(queue) == "q.parked")
    }
}

import Hummingbird
import InMemoryTracing
import Ordering
import RabbitMQ
import Tracing

/// What the service answers over HTTP.
func makeRouter(
    _ orders: Orders,
    _ connection: Connection,
    _ metrics: ConnectionMetrics,
    _ scrape: Scrape,
    _ tracer: InMemoryTracer?
) -> Router<BasicRequestContext> {
    let router = Router()
    router.addMiddleware {
        TracingMiddleware()
        MetricsMiddleware()
    }
    router.post("orders") { request, context -> HTTPResponse.Status in
        let order = try await request.decode(as: Order.self, context: context)
        try await answeringErrors { try await orders.accept(order) }
        return .accepted
    }
    router.get("prices/:item") { _, context -> String in
        let item = try context.parameters.require("item")
        let price = try await answeringErrors { try await orders.price(of: item) }
        return "\(price.cents)\n"
    }
    router.get("health") { _, _ -> HTTPResponse.Status in
        connection.health.isHealthy ? .ok : .serviceUnavailable
    }
    router.get("metrics") { _, _ -> String in
        metrics.report()
        return scrape.text
    }
    router.get("trace") { _, _ -> String in
        (tracer?.popFinishedSpans() ?? []).map(\.line).joined(separator: "\n") + "\n"
    }
    return router
}

/// Says over HTTP what went wrong.
private func answeringErrors<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch let failure as RPCFailure where failure.code == "no-such-item" {
        throw HTTPError(.notFound, message: "there is no \(failure.message)")
    } catch let error as AMQPError {
        throw HTTPError(.serviceUnavailable, message: error.message)
    }
}

extension FinishedInMemorySpan {
    /// Its trace, itself, whom it belongs to, and what it was, on one line.
    fileprivate var line: String { "\(traceID) \(spanID) < \(parentSpanID ?? "-") \(kind) \(operationName)" }
}

#if MetricsSupport || DistributedTracingSupport
import Testing

@testable import RabbitMQ

@Suite("Names of OpenTelemetry's conventions")
struct MessagingNameTests {
    @Test(arguments: [
        ("", "", "", "amq.default"),
        ("", "q", "", "q"),
        ("e", "", "", "e"),
        ("e", "k", "", "e:k"),
        ("e", "k", "q", "e:k:q"),
        ("", "q", "q", "q"),
        ("e", "q", "q", "e:q"),
        ("e", "", "q", "e:q"),
        // Only of key and queue one is left out: an exchange and a key of one name are two things.
        ("orders", "orders", "", "orders:orders"),
        ("orders", "orders", "q", "orders:orders:q"),
        ("orders", "", "orders", "orders:orders"),
    ])
    func `a destination has what there is of exchange, key and queue`(
        exchange: String,
        routingKey: String,
        queue: String,
        name: String
    ) {
        let destination = MessagingName.destination(exchange: exchange, routingKey: routingKey, queue: queue)
        #expect(destination == name)
    }
}
#endif

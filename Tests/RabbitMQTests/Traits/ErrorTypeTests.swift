#if MetricsSupport || DistributedTracingSupport
import Testing

@testable import RabbitMQ

/// Back ends keep what there is of one name for ever: an address in it would make another one of each start of a process.
@Suite("Types of errors in metrics and traces")
struct ErrorTypeTests {
    struct Shown: Error {}
    private struct Hidden<Value>: Error {}

    @Test func `have the type's name, and no address where it is private`() {
        struct Local: Error {}
        #expect(MessagingName.errorType(Shown()) == "RabbitMQTests.ErrorTypeTests.Shown")
        let errors: [any Error] = [Hidden<Local>(), Local()]
        for error in errors {
            let name = MessagingName.errorType(error)
            #expect(name.hasPrefix("RabbitMQTests.") && name.contains("Local"), "\(name)")
            #expect(!name.contains("$"), "\(name)")
        }
    }

    @Test func `have the code of the library's own`() {
        let error = AMQPError(.timedOut, "late")
        #expect(MessagingName.errorType(error) == error.code.description)
    }
}
#endif

import TestSupport
import Testing

@Suite("The tool's arguments", .needsTool, .timeLimit(.minutes(2)))
struct ToolArgumentsTests {
    /// Nobody listens there: who connects fails with another status than 64.
    private static let nowhere = ["--uri", "amqp://guest:secret-word@127.0.0.1:1"]

    struct Case: CustomTestStringConvertible {
        var arguments: [String]
        var says: String
        var testDescription: String { arguments.map { String($0.prefix(40)) }.joined(separator: " ") }

        init(_ arguments: String..., says: String) {
            self.arguments = arguments
            self.says = says
        }
    }

    private static let long = String(repeating: "q", count: 256)

    static let refused: [Case] = [
        Case("publish", "--size", "999999999999", says: "--size is 999999999999; it must be from 0 to 536870912"),
        Case("publish", "--size=-1", says: "--size is -1"),
        Case("publish", "--size", "9223372036854775807", says: "--size is 9223372036854775807"),
        Case("publish", "--size", "9223372036854775808", says: "invalid"),
        Case("consume", "--size", "999999999999", says: "--size is 999999999999"),
        Case("ping-pong", "--size", "999999999999", says: "--size is 999999999999"),
        Case("connect", "--size", "1e3", says: "invalid"),
        Case("publish", "--messages", "0", says: "--messages is 0; it must be from 1"),
        Case("publish", "--messages", "9223372036854775807", says: "--messages is 9223372036854775807"),
        Case("publish", "--messages", "-5", says: "--messages"),
        Case("publish", "--messages", "many", says: "invalid"),
        Case("consume", "--warmup", "9223372036854775807", says: "--warmup is 9223372036854775807"),
        Case("consume", "--warmup=-1", says: "--warmup is -1; it must be from 0"),
        Case("publish", "--channels", "0", says: "--channels is 0"),
        Case("publish", "--channels", "99999999", says: "--channels is 99999999"),
        Case("publish", "--connections", "0", says: "--connections is 0"),
        Case("publish", "--connections", "10000", "--channels", "65535", says: "make 655350000 channels"),
        Case("consume", "--consumers", "0", says: "--consumers is 0"),
        Case("consume", "--consumers", "1000000000000", says: "--consumers is 1000000000000"),
        Case("publish-confirm", "--window", "0", says: "--window is 0"),
        Case("publish-confirm", "--window", "99999999999", says: "--window is 99999999999"),
        Case("consume-ack", "--prefetch", "65536", says: "invalid"),
        Case("publish", "--recorder", "100001", says: "--recorder is 100001; it must be from 0 to 100000"),
        Case("publish", "--queue", "", says: "--queue is empty"),
        Case("publish", "--queue", "amq.gen-1", says: "--queue begins with amq."),
        Case("publish", "--queue", long, says: "--queue has 256 bytes"),
        Case("publish", "--routing-key", long, says: "--routing-key has 256 bytes"),
        Case("publish", "--exchange", long, says: "--exchange has 256 bytes"),
        Case("publish", "--use-existing", says: "--use-existing needs a --queue"),
        Case("publish", "--use-existing", "--queue", "q", says: "add --leave-messages"),
        Case("publish", "--use-existing", "--queue", "q", "--eat-messages", says: "add --leave-messages"),
        Case("publish-confirm", "--use-existing", "--queue", "q", says: "add --leave-messages"),
        Case("consume", "--use-existing", "--queue", "q", says: "add --eat-messages"),
        Case("consume-ack", "--use-existing", "--queue", "q", "--leave-messages", says: "add --eat-messages"),
        Case("ping-pong", "--use-existing", "--queue", "q", says: "add --eat-messages"),
        Case("publish", "--exchange", "amq.topic", says: "add --leave-messages"),
        Case("consume", "--exchange", "amq.topic", says: "are for publishing"),
        Case("ping-pong", "--routing-key", "k", says: "are for publishing"),
        Case("publish", "--ca", "/nonexistent", says: "--ca is for a URI that begins with amqps://"),
        Case("publish", "--uri", "amqps://localhost", "--ca", "/nonexistent", says: "/nonexistent can't be read"),
        Case("publish", "--uri", "http://localhost", says: "--uri: it begins neither with amqp://"),
        Case("publish", "--uri", "", says: "--uri: "),
        Case("publish", "--uri", "amqp://guest:secret-word@localhost:99999", says: "--uri: the port"),
        Case("publish", "--host", "localhost/orders", says: "invalid"),
        Case("publish", "--host", "localhost:99999", says: "invalid"),
        Case("publish", "--queue-type", "jms", says: "invalid"),
        Case("publish", "--across", "tasks", says: "--across needs --compare"),
        Case("consume-ack", "--queue-type", "stream", says: "consume-ack can't be measured with a stream"),
        Case("handle", "--queue-type", "stream", says: "handle can't be measured with a stream"),
        Case("rpc", "--queue-type", "stream", says: "rpc can't be measured with a stream"),
        Case("end-to-end", "--sizes", "k", says: "invalid"),
        Case("end-to-end", "--sizes", "100:0", says: "invalid"),
        Case("end-to-end", "--sizes", "2k-1k", says: "invalid"),
        Case("end-to-end", "--sizes", "1m-600m", says: "invalid"),
        Case("end-to-end", "--ramp", "100", says: "invalid"),
        Case("end-to-end", "--ramp", "0-0:1m", says: "invalid"),
        Case("end-to-end", "--ramp", "0-nan:1m", says: "invalid"),
        Case("end-to-end", "--ramp", "1:1m,", says: "invalid"),
        Case("end-to-end", "--ramp", "1:1m", "--rate", "5", says: "--rate and --ramp exclude each other"),
        Case("end-to-end", "--queue-type", "stream", "--prefetch", "0", says: "--prefetch is 0"),
        Case("end-to-end", "--use-existing", "--queue", "q", "--eat-messages", says: "and --eat-messages"),
        Case("end-to-end", "--exchange", "e", "--leave-messages", says: "are for publishing"),
        Case("end-to-end", "--producers", "0", says: "--producers is 0"),
        Case("end-to-end", "--chart", "run.png", says: "--chart: the name ends with .svg or .html"),
        Case("end-to-end", "--chart", "/nonexistent/run.svg", says: "nothing can be written in /nonexistent"),
        Case("publish", "--chart", "run.svg", says: "--chart is for end-to-end"),
        Case("publish", "--producers", "2", says: "--producers is for end-to-end"),
        Case("publish", "--ramp", "1:1m", says: "--ramp is for end-to-end"),
        Case("consume", "--sizes", "1-9", says: "--sizes is for end-to-end"),
        Case("idle", "--hang-after", "1s", says: "2s are the least"),
        Case("publish", "--tasks", "2", says: "--tasks is for confirm, rpc, declare and handle"),
        Case("rpc", "--work", "5", says: "--work is for publish"),
        Case("rpc", "--headers", "100", says: "--headers is for publish"),
        Case("publish", "--headers", "9", "--read-headers", says: "--read-headers is for consume, consume-ack and"),
        Case("end-to-end", "--channels", "2", says: "--channels is for publish"),
        Case("end-to-end", "--work", "5", says: "--work is for publish"),
        Case("end-to-end", "--headers", "100", says: "--headers is for publish"),
        Case("end-to-end", "--size", "9", "--sizes", "1-9", says: "--size and --sizes exclude each other"),
        Case("publish", "--window", "5", says: "--window is for publish-confirm, confirm and end-to-end"),
        Case("get", "--prefetch", "5", says: "--prefetch is for consume-ack, handle and end-to-end"),
        Case("connect", "--queue-type", "quorum", says: "--queue-type is for publish"),
        Case("connect", "--queue", "q", "--use-existing", says: "--use-existing is for publish"),
        Case("connect", "--connections", "2", says: "--connections is for publish"),
        Case("publish", "--consumers", "2", says: "--consumers is for consume, consume-ack, handle and end-to-end"),
        Case("rpc", "--persistent", says: "--persistent is for publish"),
        Case("confirm", "--one-at-a-time", says: "--one-at-a-time is for publish-confirm"),
        Case("publish-confirm", "--one-at-a-time", "--work", "5", says: "goes with none of --rate, --work"),
        Case("get", "--rate", "5", says: "--rate is for publish, publish-confirm and end-to-end"),
        Case("--compare", "a.json", says: "--compare takes two files"),
        Case("publish", "--compare", "a.json", "b.json", says: "give no mode"),
        Case("--compare", "a.json", "b.json", "--tasks", "5", says: "give no --tasks"),
        Case(says: "What is to be measured? One of publish, publish-confirm"),
        Case("nonsense", says: "invalid"),
    ]

    @Test("of perf that can't be meant are refused with status 64 and a text, before it connects", arguments: refused)
    func perf(_ refused: Case) async throws {
        let outcome = try await ToolProcess.run(["perf"] + Self.nowhere + refused.arguments)
        #expect(outcome.hasExited && outcome.status == 64, "\(outcome)")
        #expect(outcome.error.contains(refused.says), "\(outcome)")
        #expect(!outcome.error.contains("secret-word"))
    }

    @Test(
        "of demo that can't be meant are refused so too",
        arguments: [
            ["--messages", "0"], ["--messages=-1"], ["--messages", "99999999999999"], ["--messages", "many"],
            ["--uri", "http://localhost"], ["--ca", "/nonexistent"],
        ]
    )
    func demo(arguments: [String]) async throws {
        let outcome = try await ToolProcess.run(["demo"] + arguments)
        #expect(outcome.hasExited && outcome.status == 64, "\(outcome)")
    }

    @Test("that can be meant let it connect", arguments: ["publish", "consume-ack", "ping-pong", "connect"])
    func connects(mode: String) async throws {
        let outcome = try await ToolProcess.run(["perf"] + Self.nowhere + [mode, "--queue", "q", "--size", "0"])
        #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
        #expect(outcome.error.contains("connectionFailed"), "\(outcome)")
    }
}

/// One thing that AMQP 0-9-1 or RabbitMQ has, and the tests that prove that the library has it too.
struct ConformanceRow {
    /// The part of the table it stands in.
    var area: Area
    /// The protocol's name for it.
    var name: String
    /// What of the library's it is.
    var api: String
    /// The display names of tests, or how they begin.
    var tests: [String]
    /// What is not supported, and why; then there need be no tests.
    var note = ""

    enum Area: String, CaseIterable {
        case connection = "Connection (AMQP 0-9-1, class 10)"
        case channel = "Channel (class 20)"
        case exchange = "Exchange (class 40)"
        case queue = "Queue (class 50)"
        case basic = "Basic (class 60)"
        case transactions = "Transactions (class 90)"
        case types = "Types and limits"
        case rabbitMQ = "RabbitMQ's extensions"
    }

    init(_ area: Area, _ name: String, _ api: String, _ tests: String..., note: String = "") {
        self.area = area
        self.name = name
        self.api = api
        self.tests = tests
        self.note = note
    }
}

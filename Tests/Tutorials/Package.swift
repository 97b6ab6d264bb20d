// swift-tools-version: 6.1
import PackageDescription

// RabbitMQ's tutorials in Swift, a program each, and the README's: swift run Send. It is a package of its own, so that
// nobody who uses the library builds these.
let package = Package(
    name: "Tutorials",
    dependencies: [.package(name: "rabbitmq-swift", path: "../..")],
    targets: [
        "Orders", "Send", "Receive", "NewTask", "Worker", "EmitLog", "ReceiveLogs", "EmitLogDirect",
        "ReceiveLogsDirect",
        "EmitLogTopic", "ReceiveLogsTopic", "RPCServer", "RPCClient", "PublisherConfirms", "StreamSend",
        "StreamReceive", "CeleryCall", "CeleryWorker",
    ].map { .executableTarget(name: $0, dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")]) }
)

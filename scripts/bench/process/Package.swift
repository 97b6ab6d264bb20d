// swift-tools-version: 6.1
import PackageDescription

// A package of its own, as a user's program is.
let package = Package(
    name: "process",
    dependencies: [.package(name: "rabbitmq-swift", path: "../../..")],
    targets: [
        .target(name: "Status", path: "Status"),
        .executableTarget(name: "empty", dependencies: ["Status"], path: "empty"),
        .executableTarget(
            name: "connected",
            dependencies: ["Status", .product(name: "RabbitMQ", package: "rabbitmq-swift")],
            path: "connected"
        ),
    ],
    swiftLanguageModes: [.v6]
)
